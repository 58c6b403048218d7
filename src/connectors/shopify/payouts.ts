import Type, { type Static, type TSchema } from 'typebox'
import { HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port, Pull, PulledItem } from '../_kit/define.ts'
import { BALANCE_TRANSACTIONS, PAYOUTS } from './_graphql.ts'
import { answer, ask, type Settings } from './client.ts'

/** Payouts of Shopify Payments with the rows of the balance that they are made of. No webhook tells of them. */

type ShopPort = Port<Settings>

const PAYOUTS_PER_PAGE = 50
const ROWS_PER_PAGE = 200
/** A list longer than this is not cut short in silence: a payout with a row missing would look like a broken one. */
const PAGES_MAX = 1_000
const DAY_MS = 86_400_000
const FIRST_REACH_MS = 90 * DAY_MS
/** A bank may refuse a payout days after it was sent, and the list knows only when a payout was issued. */
const PAYOUT_REACH_MS = 14 * DAY_MS

const open = { additionalProperties: true } as const
const MaybeText = Type.Union([Type.String(), Type.Null()])
const PageInfo = Type.Object({ hasNextPage: Type.Boolean(), endCursor: MaybeText })
const Payout = Type.Object(
  {
    id: Type.String(),
    legacyResourceId: Type.Union([Type.String(), Type.Integer()]),
    issuedAt: Type.String(),
    status: Type.String(),
    externalTraceId: Type.Optional(MaybeText),
  },
  open,
)
type Payout = Static<typeof Payout>
const Row = Type.Object(
  {
    id: Type.String(),
    test: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
    associatedPayout: Type.Union([Type.Object({ id: Type.Optional(MaybeText) }, open), Type.Null()]),
  },
  open,
)
type Row = Static<typeof Row>
const listOf = <T extends TSchema>(node: T) => Type.Object({ pageInfo: PageInfo, nodes: Type.Array(node) })
const accountWith = <T extends TSchema>(fields: T) =>
  answer(Type.Object({ shopifyPaymentsAccount: Type.Union([Type.Null(), fields]) }))
const Payouts = accountWith(Type.Object({ payouts: listOf(Payout) }))
const Rows = accountWith(Type.Object({ balanceTransactions: listOf(Row) }))

const readCursor = checker(
  Type.Object({ since: Type.String(), told: Type.Record(Type.String(), Type.String()) }),
  'internal',
)

/** `since`: up to where every payout has reached a state that was told; `told`: payouts inside the reach and the state they were told in. */
type Cursor = ReturnType<typeof readCursor>

/**
 * One item for each payout and state, oldest first: under way, paid, and failed days after that. A payout is told once it was sent to the
 * bank, because until then rows may still join it. A shop without Shopify Payments has nothing to tell, now or later.
 */
export const pullSettlements: Pull<Settings> = async function* (port, request) {
  if (port.settings.payouts === 'off') return
  const now_ms = request.now.getTime()
  const cursor: Cursor =
    request.cursor === null
      ? { since: new Date(now_ms - FIRST_REACH_MS).toISOString(), told: {} }
      : readCursor(JSON.parse(request.cursor))
  const reach_ms = request.cursor === null ? 0 : Math.max(PAYOUT_REACH_MS, request.overlap_ms)
  const payouts = await payoutsSince(port, new Date(Date.parse(cursor.since) - reach_ms))
  if (payouts === null) return
  const told = Object.fromEntries(
    payouts.flatMap(({ id }) => (cursor.told[id] === undefined ? [] : [[id, cursor.told[id]]])),
  )
  for (const payout of payouts) {
    const state = stateOf(payout)
    if (isGathering(payout) || told[payout.id] === state) continue
    const item = await settlementItem(port, payout, state)
    told[payout.id] = state
    yield { items: item === null ? [] : [item], cursor: JSON.stringify({ since: cursor.since, told }) }
  }
  const waiting = payouts.filter(isGathering).map(({ issuedAt }) => Date.parse(issuedAt))
  const since = new Date(Math.min(now_ms, ...waiting)).toISOString()
  yield { items: [], cursor: JSON.stringify({ since, told }) }
}

const isGathering = ({ status }: Payout): boolean => status === 'SCHEDULED'

/** The bank's reference may come after the word that it was paid. */
const stateOf = ({ status, externalTraceId }: Payout): string => `${status}:${externalTraceId ?? ''}`

/** Null: the shop has no Shopify Payments. */
async function payoutsSince(port: ShopPort, since: Date): Promise<Payout[] | null> {
  const query = `issued_at:>='${since.toISOString()}'`
  const payouts = await pages(PAYOUTS_PER_PAGE, async (variables) => {
    const call = { operation: 'payouts', query: PAYOUTS, variables: { ...variables, query } }
    return (await askForMoney(port, Payouts, call)).shopifyPaymentsAccount?.payouts
  })
  return payouts?.toSorted((a, b) => Date.parse(a.issuedAt) - Date.parse(b.issuedAt)) ?? null
}

async function settlementItem(port: ShopPort, payout: Payout, state: string): Promise<PulledItem | null> {
  const query = `payments_transfer_id:${payout.legacyResourceId}`
  const rows = await pages<Row>(ROWS_PER_PAGE, async (variables) => {
    const call = { operation: 'balanceTransactions', query: BALANCE_TRANSACTIONS, variables: { ...variables, query } }
    return (await askForMoney(port, Rows, call)).shopifyPaymentsAccount?.balanceTransactions
  })
  if (rows === null)
    throw new HubError('vendor_response_invalid', 'balanceTransactions: the account vanished while it was read')
  // A search word that Shopify does not know is passed over in silence, and everything there is comes back.
  if (rows.some(({ associatedPayout }) => associatedPayout?.id !== payout.id))
    throw new HubError('vendor_response_invalid', 'balanceTransactions: rows of another payout came along')
  // Money of a shop in test mode is nobody's.
  if (rows.length > 0 && rows.every(({ test }) => test === true)) return null
  const dedupe_key = `poll:payout:${payout.legacyResourceId}:${state}`.slice(0, 200)
  return { topic: 'settlement', dedupe_key, payload: { payout, balance_transactions: rows } }
}

interface Page<T> {
  pageInfo: Static<typeof PageInfo>
  nodes: T[]
}

/** All pages of a list, halved where a page costs more than one query may. Null where there is no account. */
async function pages<T>(
  size: number,
  read: (variables: { first: number; after: string | null }) => Promise<Page<T> | undefined>,
): Promise<T[] | null> {
  const nodes: T[] = []
  let first = size
  let after: string | null = null
  for (let count = 0; count < PAGES_MAX; count += 1) {
    try {
      const answered = await read({ first, after })
      if (answered === undefined) return null
      nodes.push(...answered.nodes)
      after = answered.pageInfo.endCursor
      if (!answered.pageInfo.hasNextPage || after === null) return nodes
    } catch (thrown) {
      if (!(thrown instanceof HubError) || thrown.code !== 'payload_too_large' || first === 1) throw thrown
      first = Math.ceil(first / 2)
    }
  }
  throw new HubError('vendor_response_invalid', `a list did not end after ${PAGES_MAX} pages`)
}

/** A token that may not read payouts is good for everything else, so it must not pause the connection. */
async function askForMoney<T>(...call: Parameters<typeof ask<T>>): Promise<T> {
  try {
    return await ask(...call)
  } catch (thrown) {
    if (!(thrown instanceof HubError) || thrown.code !== 'vendor_auth' || !thrown.message.endsWith('ACCESS_DENIED'))
      throw thrown
    throw new HubError('vendor_rejected', thrown.message, {
      status: 200,
      cause: thrown,
      hint: 'grant the scope read_shopify_payments_payouts, or set payouts: off',
    })
  }
}
