import Type from 'typebox'
import {
  listStockRules,
  setStockRule,
  unsetStockRule,
  type NamedScope,
  type StockRuleRow,
} from '../../core/availability/ruleChanges.ts'
import { BACKORDER_MODES } from '../../core/availability/rulesStock.ts'
import { closed, Nullable, Words } from '../../core/model/schema.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { wakePushes } from '../../queues/wake.ts'
import { actorOf, type App } from '../app.ts'
import { count, FAULTS, filters, flag, instant, listQuery, maybeCount, maybeText, named, text } from './schemas.ts'

export const StockRuleSchema = named<StockRuleRow>('StockRule', {
  id: count,
  company_id: text,
  connection_id: maybeText,
  sku: maybeText,
  location_id: maybeText,
  safety_units: maybeCount,
  buffer_units: maybeCount,
  buffer_percent: maybeCount,
  share_percent: maybeCount,
  cap: maybeCount,
  zero_below: maybeCount,
  backorder: maybeText,
  backorder_units_max: maybeCount,
  source: text,
  changed_by: text,
  changed_at: instant,
})

const Name = Type.String({ minLength: 1, maxLength: 200 })
const Scope = {
  company: Name,
  connection: Type.Optional(Name),
  sku: Type.Optional(Name),
  location: Type.Optional(Name),
}
const units = Type.Optional(Nullable(Type.Integer({ minimum: 0, maximum: 1_000_000 })))
const percent = Type.Optional(Nullable(Type.Integer({ minimum: 0, maximum: 100 })))
const Rule = Type.Object(
  {
    ...Scope,
    safety_units: units,
    buffer_units: units,
    buffer_percent: percent,
    share_percent: percent,
    cap: units,
    zero_below: units,
    backorder: Type.Optional(Nullable(Words(BACKORDER_MODES))),
    backorder_units_max: units,
  },
  closed,
)

function scopeOf(scope: { company: string; connection?: string; sku?: string; location?: string }): NamedScope {
  return {
    company_id: scope.company,
    connection_id: scope.connection ?? null,
    sku: scope.sku ?? null,
    location_id: scope.location ?? null,
  }
}

export function stockRuleRoutes(app: App, hub: Hub): void {
  const tags = ['stock rules']
  app.get(
    '/stock-rules',
    {
      schema: {
        tags,
        summary: 'List stock rules',
        querystring: listQuery({
          company: filters.text,
          connection: filters.text,
          sku: filters.text,
          location: filters.text,
        }),
        response: { 200: StockRuleSchema.page, ...FAULTS },
      },
    },
    async (request) => listStockRules(hub.db, request.query),
  )

  app.put(
    '/stock-rules',
    {
      schema: {
        tags,
        summary: 'Set the rule of a scope to exactly these fields',
        description:
          'A field that is left out is left to a wider rule. Whatever the rule speaks of is told to the channels at once. Asking again changes nothing.',
        body: Rule,
        response: { 200: StockRuleSchema.ref, ...FAULTS },
      },
    },
    async (request) => {
      const { body } = request
      const wish = {
        ...scopeOf(body),
        safety_units: body.safety_units ?? null,
        buffer_units: body.buffer_units ?? null,
        buffer_percent: body.buffer_percent ?? null,
        share_percent: body.share_percent ?? null,
        cap: body.cap ?? null,
        zero_below: body.zero_below ?? null,
        backorder: body.backorder ?? null,
        backorder_units_max: body.backorder_units_max ?? null,
      }
      const row = await inTransaction(hub.db, (tx) => setStockRule(tx, wish, actorOf(request).name, hub.clock.now()))
      await wakePushes(hub)
      return row
    },
  )

  app.delete(
    '/stock-rules',
    {
      schema: {
        tags,
        summary: 'Remove the rule of a scope',
        description:
          'Wider rules and the connection’s own choices hold again. `removed` is false where there was none.',
        querystring: Type.Object(Scope, closed),
        response: { 200: Type.Object({ removed: flag }, closed), ...FAULTS },
      },
    },
    async (request) => {
      const removed = await inTransaction(hub.db, (tx) =>
        unsetStockRule(tx, scopeOf(request.query), actorOf(request).name, hub.clock.now()),
      )
      if (removed) await wakePushes(hub)
      return { removed }
    },
  )
}
