import Type from 'typebox'
import { closed } from '../core/model/schema.ts'

export const SandboxSection = Type.Object(
  {
    enabled: Type.Boolean({
      default: false,
      description: 'Starts a simulator for every connection and buyers who trade. Never in production.',
    }),
    orders_per_second: Type.Number({ minimum: 0, maximum: 1_000, default: 1 }),
    stock_scale: Type.Number({
      minimum: 0.1,
      maximum: 10_000,
      default: 1,
      description: 'How much the simulated 3PL has of everything.',
    }),
    payout_every_seconds: Type.Integer({ minimum: 1, maximum: 86_400, default: 30 }),
    data_dir: Type.String({
      minLength: 1,
      default: '../.crossdock/sandbox',
      description: "The simulated vendors' own ledgers, relative to this file.",
    }),
    seed: Type.Integer({ minimum: 0, maximum: 4_294_967_295, default: 1 }),
    port_base: Type.Integer({
      minimum: 0,
      maximum: 65_000,
      default: 0,
      description: 'The simulators listen on the ports after it; 0 takes free ones.',
    }),
  },
  { ...closed, default: {} },
)
