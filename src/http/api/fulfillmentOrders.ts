import Type from 'typebox'
import type { Word } from '../../core/fulfillment/byHand.ts'
import { listWork, showWork, WORK_STATES, type WorkRow, type WorkShown } from '../../core/fulfillment/read.ts'
import { Address } from '../../core/model/party.ts'
import { closed, Id, Nullable } from '../../core/model/schema.ts'
import { readPerson } from '../../core/people/people.ts'
import { writeAudit } from '../../db/audit.ts'
import type { Hub } from '../../hub.ts'
import { workByHand } from '../../queues/workByHand.ts'
import { actorOf, type Actor, type App } from '../app.ts'
import { grants } from '../policies.ts'
import {
  count,
  FAULTS,
  filters,
  instant,
  listOf,
  listQuery,
  maybeInstant,
  maybeText,
  named,
  text,
  uuid,
} from './schemas.ts'

const summary = {
  id: uuid,
  number: text,
  order_id: uuid,
  order_number: maybeText,
  location_id: text,
  connection_id: maybeText,
  state: text,
  units_to_pack: count,
  cancel_requested_at: maybeInstant,
  created_at: instant,
  changed_at: instant,
}
export const FulfillmentOrderSummary = named<WorkRow>('FulfillmentOrderSummary', summary)

type Shown = Omit<WorkShown, 'person_id'> & { ship_to: Address | null }

export const FulfillmentOrder = named<Shown>('FulfillmentOrder', {
  ...summary,
  order_connection_id: text,
  shipping_method: maybeText,
  ship_by: maybeInstant,
  ship_to: Nullable(Address),
  lines: listOf({
    order_line_id: count,
    line_reference: text,
    sku: text,
    name: maybeText,
    title: maybeText,
    quantity: count,
    shipped_quantity: count,
  }),
  reasons: listOf({ at: text, kind: text, text }),
  shipments: listOf({
    id: uuid,
    connection_id: text,
    external_id: text,
    carrier: maybeText,
    tracking_number: maybeText,
    tracking_url: maybeText,
    shipped_at: instant,
    lines: listOf({ sku: text, quantity: count }),
  }),
})

const ByNumber = Type.Object({ number: Id })
const Reason = Type.String({ minLength: 1, maxLength: 300 })
const Lines = Type.Array(Type.Object({ sku: Id, quantity: Type.Integer({ minimum: 1, maximum: 1_000_000 }) }, closed), {
  minItems: 1,
  maxItems: 2_000,
})
const Key = { ...Id, description: "The caller's own name of it: the same again is done once." }
const maybe = (maxLength: number) => Type.Optional(Nullable(Type.String({ minLength: 1, maxLength })))

const Reject = Type.Object({ reason: Reason }, closed)
const Short = Type.Object({ lines: Lines, reason: Reason, key: Type.Optional(Key) }, closed)
const Ship = Type.Object(
  {
    key: Key,
    carrier: maybe(100),
    tracking_number: maybe(100),
    tracking_url: maybe(500),
    shipped_at: Type.Optional(Type.String({ format: 'date-time', description: 'Left out: now.' })),
    lines: Type.Optional({ ...Lines, description: 'Left out: everything that is still to be packed.' }),
  },
  closed,
)

const Done = Type.Object(
  {
    outcome: Type.Unsafe<'applied' | 'unchanged'>({ type: 'string', enum: ['applied', 'unchanged'] }),
    summary: text,
    fulfillment_order: FulfillmentOrder.ref,
  },
  closed,
)

const tags = ['fulfillment orders']

export function fulfillmentOrderRoutes(app: App, hub: Hub): void {
  app.get(
    '/fulfillment-orders',
    {
      schema: {
        tags,
        summary: 'List work, newest first',
        querystring: listQuery({
          location: filters.text,
          state: filters.words(WORK_STATES),
          order: Type.Optional(
            Type.String({ minLength: 1, maxLength: 200, description: "the hub's id of an order, or its number" }),
          ),
        }),
        response: { 200: FulfillmentOrderSummary.page, ...FAULTS },
      },
    },
    async (request) => listWork(hub.db, request.query),
  )

  app.get(
    '/fulfillment-orders/:number',
    {
      schema: {
        tags,
        summary: 'Show work: what to pack and where it goes',
        description: 'The address is shown to operators; every look at it is written into the audit log.',
        params: ByNumber,
        response: { 200: FulfillmentOrder.ref, ...FAULTS },
      },
    },
    async (request, reply) => {
      void reply.header('cache-control', 'no-store')
      return show(hub, request.params.number, actorOf(request))
    },
  )
  wordRoutes(app, hub)
}

function wordRoutes(app: App, hub: Hub): void {
  const say = async (number: string, actor: Actor, word: Word) => {
    const done = await workByHand(hub, { number, actor: actor.name, word })
    return { ...done, fulfillment_order: await withoutAddress(hub, number) }
  }
  const response = { 200: Done, ...FAULTS }

  app.post(
    '/fulfillment-orders/:number/accept',
    { schema: { tags, summary: 'Take work on', params: ByNumber, response } },
    async (request) => say(request.params.number, actorOf(request), { kind: 'accept' }),
  )

  app.post(
    '/fulfillment-orders/:number/reject',
    {
      schema: {
        tags,
        summary: 'Give work back',
        description:
          'Its units are planned anew, never again at the same place. Work that was called back is over by this.',
        params: ByNumber,
        body: Reject,
        response,
      },
    },
    async (request) => say(request.params.number, actorOf(request), { kind: 'reject', reason: request.body.reason }),
  )

  app.post(
    '/fulfillment-orders/:number/short',
    {
      schema: {
        tags,
        summary: 'Say what is not on the shelf',
        description:
          'The units leave the work and the stock of the place; other places serve them where they can. Send a key, so that the same message twice loses nothing twice.',
        params: ByNumber,
        body: Short,
        response,
      },
    },
    async (request) => {
      const { lines, reason, key = null } = request.body
      return say(request.params.number, actorOf(request), { kind: 'short', key, reason, lines })
    },
  )

  app.post(
    '/fulfillment-orders/:number/ship',
    {
      schema: {
        tags,
        summary: 'Report goods that left, all or a part',
        params: ByNumber,
        body: Ship,
        response,
      },
    },
    async (request) => {
      const { key, carrier = null, tracking_number = null, tracking_url = null, shipped_at, lines } = request.body
      return say(request.params.number, actorOf(request), {
        kind: 'ship',
        key,
        carrier,
        tracking_number,
        tracking_url,
        shipped_at: shipped_at === undefined ? null : new Date(shipped_at),
        lines: lines ?? null,
      })
    },
  )
}

async function withoutAddress(hub: Hub, number: string): Promise<Shown> {
  const { person_id, ...work } = await showWork(hub.db, number)
  void person_id
  return { ...work, ship_to: null }
}

async function show(hub: Hub, number: string, actor: Actor): Promise<Shown> {
  const { person_id, ...work } = await showWork(hub.db, number)
  if (person_id === null || !grants(actor.role, 'operator')) return { ...work, ship_to: null }
  // Written first: a look that could not be recorded does not take place.
  await writeAudit(hub.db, {
    at: hub.clock.now(),
    actor: actor.name,
    action: 'person.read',
    subject: `order:${work.order_id}`,
    data: { number },
  })
  const person = await readPerson(hub.db, hub.vault, person_id)
  return { ...work, ship_to: person === 'erased' ? null : person.ship_to }
}
