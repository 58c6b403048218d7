import Type from 'typebox'
import { listAudits, totalAudits, type AuditShown, type AuditTotal } from '../../core/fees/audit.ts'
import { contribution, type Contribution } from '../../core/fees/contribution.ts'
import { CostReceipts, importCosts } from '../../core/fees/costs.ts'
import { AUDIT_REASONS } from '../../core/fees/rulesAudit.ts'
import { VIEWS } from '../../core/fees/rulesContribution.ts'
import { listTariffs, putTariff, type TariffShown } from '../../core/fees/tariffs.ts'
import { HubError } from '../../core/errors.ts'
import { closed, Id, Words } from '../../core/model/schema.ts'
import { CalendarDate, TariffDocument } from '../../core/model/tariff.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { actorOf, type App } from '../app.ts'
import { anything, count, FAULTS, filters, instant, listOf, listQuery, maybeText, named, text } from './schemas.ts'

export const FeeAudit = named<AuditShown>('FeeAudit', {
  settlement_line_id: count,
  connection_id: text,
  settlement: text,
  line: text,
  on: text,
  order: maybeText,
  sku: maybeText,
  kind: text,
  fee_type: maybeText,
  currency: text,
  basis_minor: count,
  expected_minor: count,
  charged_minor: count,
  variance_minor: count,
  reason: text,
  tariff: text,
  clause: maybeText,
})
export const FeeAuditTotal = named<AuditTotal>('FeeAuditTotal', {
  connection_id: text,
  currency: text,
  clause: maybeText,
  reason: text,
  charges: count,
  expected_minor: count,
  charged_minor: count,
  variance_minor: count,
})
export const TariffSchema = named<TariffShown>('Tariff', {
  id: count,
  company_id: text,
  connection_id: text,
  name: text,
  valid_from: text,
  valid_to: maybeText,
  document: anything,
  source: text,
  changed_by: text,
  changed_at: instant,
})
export const ContributionSchema = named<Contribution>('Contribution', {
  by: text,
  from: text,
  to: text,
  orders: count,
  units_without_cost: count,
  rows: listOf({
    key: maybeText,
    currency: text,
    sales_minor: count,
    tax_minor: count,
    promotions_minor: count,
    commission_minor: count,
    fees_minor: count,
    shipping_minor: count,
    refunds_minor: count,
    landed_minor: count,
    contribution_minor: count,
  }),
})

const period = { connection: filters.text, from: Type.Optional(CalendarDate), to: Type.Optional(CalendarDate) }

const NewTariff = Type.Object(
  {
    connection: Id,
    name: Type.String({ minLength: 1, maxLength: 100 }),
    valid_from: CalendarDate,
    valid_to: Type.Optional(CalendarDate),
    document: TariffDocument,
  },
  closed,
)

export function feeRoutes(app: App, hub: Hub): void {
  const tags = ['fees']
  app.get(
    '/fees/audit',
    {
      schema: {
        tags,
        summary: 'Fees that were charged against those that were agreed',
        description: 'Judged when a payout or a tariff changes. `from` and `to` are days (UTC) of the lines.',
        querystring: listQuery({ ...period, reason: filters.words(AUDIT_REASONS) }),
        response: { 200: FeeAudit.page, ...FAULTS },
      },
    },
    async (request) => listAudits(hub.db, request.query),
  )
  app.get(
    '/fees/audit/totals',
    {
      schema: {
        tags,
        summary: 'The same, added up by clause and reason',
        querystring: Type.Object(period, closed),
        response: { 200: Type.Object({ rows: Type.Array(FeeAuditTotal.ref) }), ...FAULTS },
      },
    },
    async (request) => ({ rows: await totalAudits(hub.db, request.query) }),
  )
  app.get(
    '/fees/contribution',
    {
      schema: {
        tags,
        summary: 'What orders, SKUs or channels brought',
        querystring: Type.Object(
          { by: Words(VIEWS), from: CalendarDate, to: CalendarDate, company: filters.text, connection: filters.text },
          closed,
        ),
        response: { 200: ContributionSchema.ref, ...FAULTS },
      },
    },
    async (request) => {
      const { company, ...asked } = request.query
      return contribution(hub.db, {
        ...asked,
        company_id: companyOf(hub, company),
        cost_method: hub.config.finance.cost_method,
      })
    },
  )
  tariffRoutes(app, hub)
}

function tariffRoutes(app: App, hub: Hub): void {
  app.get(
    '/fees/tariffs',
    {
      schema: {
        tags: ['fees'],
        summary: 'What was agreed',
        querystring: Type.Object({ connection: filters.text }, closed),
        response: { 200: Type.Object({ rows: Type.Array(TariffSchema.ref) }), ...FAULTS },
      },
    },
    async (request) => ({ rows: await listTariffs(hub.db, request.query.connection) }),
  )
  app.put(
    '/fees/tariffs',
    {
      schema: {
        tags: ['fees'],
        summary: 'Set what was agreed, by connection, name and first day',
        body: NewTariff,
        response: { 200: TariffSchema.ref, ...FAULTS },
      },
    },
    async (request) => {
      const { connection, valid_to = null, ...rest } = request.body
      const tariff = { ...rest, connection_id: connection, valid_to }
      return inTransaction(hub.db, (tx) => putTariff(tx, tariff, actorOf(request).name, hub.clock.now()))
    },
  )
  app.post(
    '/fees/costs',
    {
      schema: {
        tags: ['fees'],
        summary: 'Say what units cost when they came',
        description: 'A receipt that is known already is left as it is.',
        body: Type.Object({ company: Type.Optional(Id), receipts: CostReceipts }, closed),
        response: { 200: Type.Object({ added: count, known: count }), ...FAULTS },
      },
    },
    async (request) => {
      const company_id = companyOf(hub, request.body.company)
      const { receipts } = request.body
      const by = actorOf(request).name
      return inTransaction(hub.db, (tx) => importCosts(tx, { company_id, receipts, by, now: hub.clock.now() }))
    },
  )
}

function companyOf(hub: Hub, named: string | undefined): string {
  const { companies } = hub.config
  const found = named === undefined && companies.length === 1 ? companies[0] : companies.find(({ id }) => id === named)
  if (found !== undefined) return found.id
  throw new HubError(
    named === undefined ? 'bad_request' : 'not_found',
    named === undefined ? 'name the company' : `there is no company ${named}`,
    {
      path: 'company',
    },
  )
}
