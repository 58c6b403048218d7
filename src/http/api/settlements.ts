import {
  listSettlements,
  showSettlement,
  summariseSettlement,
  type SettlementRow,
  type SettlementShown,
  type SettlementSummary,
} from '../../core/settlement/read.ts'
import type { Hub } from '../../hub.ts'
import type { App } from '../app.ts'
import {
  anyValue,
  count,
  FAULTS,
  filters,
  instant,
  listOf,
  listQuery,
  maybeCount,
  maybeInstant,
  maybeText,
  named,
  text,
  textId,
  uuid,
} from './schemas.ts'
import Type from 'typebox'

const payout = {
  id: uuid,
  connection_id: text,
  external_id: text,
  status: text,
  currency: text,
  payout_minor: count,
  gross_minor: count,
  fee_minor: count,
  net_minor: count,
  difference_minor: count,
  unmatched_lines: count,
  created_at: instant,
  arrival_at: maybeInstant,
  bank_reference: maybeText,
  proof: text,
  version: count,
  recorded_at: instant,
}
const openBreak = { id: count, type: text, state: text, currency: text, amount_minor: count, owner: maybeText }
export const Settlement = named<SettlementRow>('Settlement', payout)
export const SettlementShownSchema = named<SettlementShown>('SettlementShown', {
  ...payout,
  bridge: listOf({ kind: text, lines: count, gross_minor: count, fee_minor: count, net_minor: count }),
  proof_faults: Type.Array(anyValue),
  breaks: listOf(openBreak),
  lines: Type.Object({
    rows: listOf({
      id: count,
      external_id: text,
      kind: text,
      fee_type: maybeText,
      vendor_type: text,
      at: instant,
      currency: text,
      gross_minor: count,
      fee_minor: count,
      net_minor: count,
      sku: maybeText,
      quantity: maybeCount,
      order_id: maybeText,
      order_external_id: maybeText,
      order_number: maybeText,
      payment_id: maybeCount,
      match_state: text,
      match_rule: maybeText,
      match_reason: maybeText,
      match_id: maybeCount,
      file_row: maybeCount,
    }),
    next_cursor: maybeText,
  }),
})

export const SettlementSummarySchema = named<SettlementSummary>('SettlementSummary', {
  id: uuid,
  external_id: text,
  connection_id: text,
  status: text,
  proof: text,
  version: count,
  currency: text,
  gross_minor: count,
  fees_minor: count,
  net_minor: count,
  payout_minor: count,
  difference_minor: count,
  lines: count,
  matched: count,
  unmatched: count,
  by_kind: Type.Record(Type.String(), Type.Integer()),
  bank_lines: listOf({ id: count, booked_on: text, currency: text, amount_minor: count, reference: maybeText }),
  breaks: listOf(openBreak),
})

export function settlementRoutes(app: App, hub: Hub): void {
  app.get(
    '/settlements',
    {
      schema: {
        tags: ['settlements'],
        summary: 'List payouts, last recorded first',
        querystring: listQuery({
          connection: filters.text,
          status: filters.text,
          matching: filters.words(['whole', 'broken']),
        }),
        response: { 200: Settlement.page, ...FAULTS },
      },
    },
    async (request) => listSettlements(hub.db, request.query),
  )

  app.get(
    '/settlements/:id',
    {
      schema: {
        tags: ['settlements'],
        summary: 'Show a payout, its bridge by kind and a page of its lines',
        params: textId,
        querystring: listQuery({ match_state: filters.words(['matched', 'unmatched', 'not_needed']) }),
        response: { 200: SettlementShownSchema.ref, ...FAULTS },
      },
    },
    async (request) => showSettlement(hub.db, request.params.id, request.query),
  )

  app.get(
    '/settlements/:id/summary',
    {
      schema: {
        tags: ['settlements'],
        summary: 'One payout in figures: gross, fees, net, how much is matched, what the bank showed, what stands open',
        params: textId,
        response: { 200: SettlementSummarySchema.ref, ...FAULTS },
      },
    },
    async (request) => summariseSettlement(hub.db, request.params.id),
  )
}
