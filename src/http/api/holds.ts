import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { bindHold } from '../../core/holds/handOver.ts'
import { releaseHolds } from '../../core/holds/end.ts'
import { extendHold } from '../../core/holds/extend.ts'
import { listHolds, showHold, shownHold, type HoldShown } from '../../core/holds/read.ts'
import type { HoldRequest, HoldVerdict } from '../../core/holds/wishes.ts'
import { HOLD_STATES } from '../../core/holds/sql.ts'
import { HubError } from '../../core/errors.ts'
import { closed, Words } from '../../core/model/schema.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../../queues/context.ts'
import { wakePushes } from '../../queues/wake.ts'
import { actorOf, type App } from '../app.ts'
import { problemOf, type Problem } from '../problems.ts'
import { createHoldBatcher, decideInHub } from './holdBatcher.ts'
import { count, FAULTS, filters, instant, listOf, listQuery, maybeText, named, text, uuid } from './schemas.ts'

const LINES_MAX = 200
const MINUTES_DEFAULT = 10
const MINUTES_MAX = 1_440
const QUANTITY_MAX = 100_000

const line = { channel_sku: text, quantity: count, held: count, short_by: count }

export const Hold = named<HoldShown>('Hold', {
  id: uuid,
  connection_id: text,
  key: text,
  state: text,
  shortfall: text,
  order_external_id: maybeText,
  expires_at: instant,
  created_at: instant,
  lines: listOf(line),
  units: listOf({ item_id: count, location_id: text, units: count }),
})

interface Refused extends Problem {
  limit?: string
  max?: number
  left?: number
  lines?: { channel_sku: string; quantity: number; held: number; short_by: number }[]
}

/** Why units are not kept, in a form that a checkout can act on. */
export const RefusedHold = named<Required<Refused>>('RefusedHold', {
  type: text,
  title: text,
  status: count,
  detail: text,
  code: text,
  path: text,
  hint: text,
  request_id: text,
  limit: Type.String({ description: 'the bound that would be broken' }),
  max: Type.Integer({ description: 'what that bound is' }),
  left: Type.Integer({ description: 'how much could still be asked for' }),
  lines: Type.Array(Type.Object(line), { description: 'what is missing, line by line' }),
})

const Wish = Type.Object(
  {
    connection: Type.String({ minLength: 1, maxLength: 200 }),
    key: Type.String({ minLength: 1, maxLength: 200, description: "the caller's own name of the hold" }),
    lines: Type.Array(
      Type.Object(
        {
          channel_sku: Type.String({ minLength: 1, maxLength: 200 }),
          quantity: Type.Integer({ minimum: 1, maximum: QUANTITY_MAX }),
        },
        closed,
      ),
      { minItems: 1, maxItems: LINES_MAX },
    ),
    shortfall: Type.Optional(Words(['all_or_nothing', 'partial'])),
    minutes: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MINUTES_MAX,
        description: `default ${MINUTES_DEFAULT}, or the channel's most where that is less`,
      }),
    ),
    order_external_id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'the order that will take the units over' }),
    ),
  },
  closed,
)

const Minutes = Type.Object({ minutes: Type.Integer({ minimum: 1, maximum: MINUTES_MAX }) }, closed)
const OrderNamed = Type.Object({ order_external_id: Type.String({ minLength: 1, maxLength: 200 }) }, closed)
const ById = Type.Object({ id: uuid })
const tags = ['holds']

/** Cart holds: a checkout keeps units for a buyer for some minutes. */
export function holdRoutes(app: App, hub: Hub): void {
  addWish(app, hub)
  addReads(app, hub)
  addChanges(app, hub)
}

function addWish(app: App, hub: Hub): void {
  const batcher = createHoldBatcher(decideInHub(hub), tellChannels(hub))
  app.addHook('onClose', () => batcher.close())
  app.post(
    '/holds',
    {
      schema: {
        tags,
        summary: 'Keep units for a cart',
        description:
          'All or nothing, unless `shortfall` is `partial`. The same key with the same wish is answered with the same hold; a wish that was refused leaves nothing behind, not even its key.',
        body: Wish,
        response: { 200: Hold.ref, 201: Hold.ref, 409: RefusedHold.ref, 422: RefusedHold.ref, ...FAULTS },
      },
    },
    async (request, reply) => {
      const wish = wishOf(hub, request)
      const verdict = await batcher.ask(wish)
      if (verdict.kind !== 'held') return refuse(request, reply, verdict)
      return reply.code(verdict.again ? 200 : 201).send(shownHold(verdict.hold))
    },
  )
}

type WishRequest = FastifyRequest<{ Body: Type.Static<typeof Wish> }>

function wishOf(hub: Hub, request: FastifyRequest): HoldRequest {
  const {
    connection,
    key,
    lines,
    shortfall = 'all_or_nothing',
    minutes,
    order_external_id = null,
  } = (request as WishRequest).body
  const policy = coreContext(hub).policies.get(connection)
  if (policy === undefined || !hub.connections.has(connection))
    throw new HubError('not_found', `there is no connection ${connection}`, { path: 'body.connection' })
  const api_key = actorOf(request).key
  return {
    connection_id: connection,
    key,
    api_key: api_key === undefined ? null : { id: api_key.id, units_max: api_key.hold_units_max },
    shortfall,
    minutes: minutes ?? Math.min(MINUTES_DEFAULT, policy.holds.minutes_max),
    order_external_id,
    lines,
  }
}

async function shown(hub: Hub, id: string): Promise<HoldShown> {
  const hold = await showHold(hub.db, id)
  if (hold === undefined) throw new HubError('not_found', 'there is no such hold')
  return hold
}

type Refusal = Exclude<HoldVerdict, { kind: 'held' }>

/** A problem with what a checkout needs to go on: the missing units line by line, or the bound and what is left of it. */
function refuse(request: FastifyRequest, reply: FastifyReply, verdict: Refusal): FastifyReply {
  const fault = faultOf(verdict)
  const problem: Refused = { ...problemOf(fault, request.id), ...detailOf(verdict) }
  return reply
    .code(fault.http)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(problem)
}

function faultOf(verdict: Refusal): HubError {
  if (verdict.kind === 'conflict')
    return new HubError('conflict', 'this key was used for another wish', { path: 'body.key' })
  if (verdict.kind === 'unknown_sku')
    return new HubError('unknown_sku', `the channel lists no ${verdict.channel_sku}`, {
      path: verdict.path.replace('$', 'body'),
      hint: 'map the SKU to an item',
    })
  if (verdict.reason === 'insufficient')
    return new HubError('insufficient_stock', 'there are not as many units as this asks for', {
      hint: 'lines[].short_by says how many are missing; ask for less, or with shortfall partial',
    })
  return new HubError('limit_exceeded', `${verdict.limit} is ${verdict.max}, and this asks for ${verdict.asked}`, {
    hint: `at most ${verdict.left} could still be asked for`,
  })
}

function detailOf(verdict: Refusal): Pick<Refused, 'limit' | 'max' | 'left' | 'lines'> {
  if (verdict.kind !== 'refused') return {}
  if (verdict.reason === 'insufficient') return { lines: verdict.lines }
  const { limit, max, left } = verdict
  return { limit, max, left }
}

function addReads(app: App, hub: Hub): void {
  app.get(
    '/holds',
    {
      schema: {
        tags,
        summary: 'List cart holds, the newest first',
        querystring: listQuery({
          connection: filters.text,
          state: filters.words(HOLD_STATES),
          key: filters.text,
          order: filters.text,
        }),
        response: { 200: Hold.page, ...FAULTS },
      },
    },
    async (request) => listHolds(hub.db, request.query),
  )
  app.get(
    '/holds/:id',
    { schema: { tags, summary: 'Show a cart hold', params: ById, response: { 200: Hold.ref, ...FAULTS } } },
    async (request) => shown(hub, request.params.id),
  )
}

const absent = (): HubError => new HubError('not_found', 'there is no such hold')
const over = (state: string): HubError =>
  new HubError('conflict', `the hold is over (${state})`, { hint: 'ask for a new one, under another key' })

function addChanges(app: App, hub: Hub): void {
  app.post(
    '/holds/:id/extend',
    {
      schema: {
        tags,
        summary: 'Let a hold live longer',
        description:
          'Counted from now. From its making on no hold lives longer than the channel allows, however often it is extended; none gets shorter by this.',
        params: ById,
        body: Minutes,
        response: { 200: Hold.ref, ...FAULTS },
      },
    },
    async (request) => {
      const { id } = request.params
      const result = await inTransaction(hub.db, (tx) => extendHold(tx, coreContext(hub), id, request.body.minutes))
      if (result.kind === 'not_found') throw absent()
      if (result.kind === 'over') throw over(result.state)
      if (result.kind === 'limit')
        throw new HubError('limit_exceeded', `no hold of this channel lives longer than ${result.max} minutes`, {
          path: 'body.minutes',
          hint: `this one at most until ${result.latest.toISOString()}`,
        })
      return shown(hub, id)
    },
  )
  app.post(
    '/holds/:id/order',
    {
      schema: {
        tags,
        summary: 'Say which order takes a hold over',
        description: 'An order that is here already takes the units over at once, any other when it comes.',
        params: ById,
        body: OrderNamed,
        response: { 200: Hold.ref, ...FAULTS },
      },
    },
    async (request) => {
      const { id } = request.params
      const { order_external_id } = request.body
      const result = await inTransaction(hub.db, (tx) => bindHold(tx, coreContext(hub), id, order_external_id))
      if (result.kind === 'not_found') throw absent()
      if (result.kind === 'over') throw over(result.state)
      if (result.kind === 'other_order') throw new HubError('conflict', 'the hold waits for another order')
      if (result.kind === 'consumed') await wakePushes(hub)
      return shown(hub, id)
    },
  )
  app.delete(
    '/holds/:id',
    {
      schema: {
        tags,
        summary: 'Give a hold back',
        description: 'A hold that is over already stays as it is.',
        params: ById,
        response: { 200: Hold.ref, ...FAULTS },
      },
    },
    async (request) => {
      const { id } = request.params
      const released = await inTransaction(hub.db, (tx) => releaseHolds(tx, coreContext(hub), [id]))
      if (released.length > 0) await wakePushes(hub)
      return shown(hub, id)
    },
  )
}

/** Wakes the channels after a batch; batches that end while they are being woken are told of once, at the end. */
function tellChannels(hub: Hub): () => void {
  const due = { running: false, again: false }
  const tell = async (): Promise<void> => {
    due.running = true
    do {
      due.again = false
      try {
        await wakePushes(hub)
      } catch (thrown) {
        hub.log.warn({ reason: String(thrown) }, 'the channels were not woken; the sweeper will do it')
      }
    } while (due.again)
    due.running = false
  }
  return () => {
    if (due.running) due.again = true
    else void tell()
  }
}
