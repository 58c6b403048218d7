import Type from 'typebox'
import { PurchaseDocument, ReceiptDocument, TransferDocument } from '../../core/model/supply.ts'
import { listSupplies, showSupply, type SupplyShown } from '../../core/supply/read.ts'
import type { Hub } from '../../hub.ts'
import {
  endSupply,
  putPurchase,
  putTransfer,
  receiveGoods,
  type ReceiptAnswer,
  type SupplyAnswer,
} from '../../queues/suppliesByHand.ts'
import { actorOf, type App } from '../app.ts'
import {
  count,
  FAULTS,
  filters,
  flag,
  instant,
  listOf,
  listQuery,
  maybeInstant,
  maybeText,
  named,
  text,
  uuid,
} from './schemas.ts'

export const Supply = named<SupplyShown>('Supply', {
  id: uuid,
  company_id: text,
  kind: text,
  reference: text,
  state: text,
  location_id: text,
  from_location_id: maybeText,
  order_id: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'uuid' }),
  expected_at: maybeInstant,
  created_at: instant,
  changed_at: instant,
  lines: listOf({
    sku: text,
    quantity: count,
    received_quantity: count,
    shipped_quantity: count,
    missing_quantity: count,
    to_come: count,
  }),
  receipts: listOf({ key: text, received_at: instant, recorded_by: text, units: count }),
})

const Put = Type.Unsafe<SupplyAnswer>(Type.Object({ outcome: text, supply: Supply.ref }))
const Received = Type.Unsafe<ReceiptAnswer>(
  Type.Object({
    outcome: text,
    booked: listOf({
      sku: text,
      item_id: count,
      quantity: count,
      to: text,
      lot: maybeText,
      expires_on: maybeText,
      expected: count,
      counted_already: flag,
    }),
    supply: Supply.ref,
  }),
)

const byId = Type.Object({ id: uuid })
const words = { location: filters.text, reference: filters.text, sku: filters.text }
const states = filters.words(['open', 'received', 'cancelled'])

export function supplyRoutes(app: App, hub: Hub): void {
  readRoutes(app, hub)
  writeRoutes(app, hub)
  for (const resource of ['supplies', 'transfers'] as const) receiveRoute(app, hub, resource)
}

function readRoutes(app: App, hub: Hub): void {
  const tags = ['supplies']
  app.get(
    '/supplies',
    {
      schema: {
        tags,
        summary: 'List what is on its way in, newest first',
        querystring: listQuery({ kind: filters.words(['purchase', 'transfer']), state: states, ...words }),
        response: { 200: Supply.page, ...FAULTS },
      },
    },
    async (request) => listSupplies(hub.db, request.query),
  )
  app.get(
    '/supplies/:id',
    { schema: { tags, summary: 'Show one', params: byId, response: { 200: Supply.ref, ...FAULTS } } },
    async (request) => showSupply(hub.db, request.params.id),
  )
  app.get(
    '/transfers',
    {
      schema: {
        tags,
        summary: 'List transfers between our own places, newest first',
        querystring: listQuery({ state: states, ...words }),
        response: { 200: Supply.page, ...FAULTS },
      },
    },
    async (request) => listSupplies(hub.db, { ...request.query, kind: 'transfer' }),
  )
}

function writeRoutes(app: App, hub: Hub): void {
  const tags = ['supplies']
  app.put(
    '/supplies',
    {
      schema: {
        tags,
        summary: 'Make or change a purchase',
        description:
          'Named by its reference: the first time it is made, later it is brought to what is said now. Never below what has come.',
        body: PurchaseDocument,
        response: { 200: Put, ...FAULTS },
      },
    },
    async (request) => putPurchase(hub, request.body, actorOf(request).name),
  )
  app.post(
    '/transfers',
    {
      schema: {
        tags,
        summary: 'Send units from one place to another',
        description: 'Named by its reference: the same wish again is answered with the same transfer.',
        body: TransferDocument,
        response: { 200: Put, ...FAULTS },
      },
    },
    async (request) => putTransfer(hub, request.body, actorOf(request).name),
  )
  for (const [resource, kind] of [
    ['supplies', 'purchase'],
    ['transfers', 'transfer'],
  ] as const) {
    app.post(
      `/${resource}/:id/cancel`,
      {
        schema: {
          tags,
          summary: kind === 'purchase' ? 'Cancel the rest of a purchase' : 'Cancel what of a transfer has not left',
          params: byId,
          response: { 200: Put, ...FAULTS },
        },
      },
      async (request) => endSupply(hub, { id: request.params.id, kind }, actorOf(request).name),
    )
  }
}

function receiveRoute(app: App, hub: Hub, resource: 'supplies' | 'transfers'): void {
  app.post(
    `/${resource}/:id/receive`,
    {
      schema: {
        tags: ['supplies'],
        summary: 'Book goods that came in',
        description:
          'What arrives is given at once to the orders that wait for it. The same key again is answered with what was booked then.',
        params: byId,
        body: ReceiptDocument,
        response: { 200: Received, ...FAULTS },
      },
    },
    async (request) => receiveGoods(hub, request.params.id, request.body, actorOf(request).name),
  )
}
