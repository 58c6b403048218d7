import { writeAudit } from '../../db/audit.ts'
import type { Tx } from '../../db/pool.ts'
import { applyFacts } from '../apply.ts'
import { internalConnectionId, type CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { Fact } from '../model/fact.ts'
import type { Acknowledgement, Shipment } from '../model/shipment.ts'
import { labelNumbersOf } from '../labels/parcels.ts'
import { parcelName } from '../names.ts'
import { takeNames, takeTurn } from '../turn.ts'
import { earlierShipment, earlierShortPick, type Earlier } from './earlierWords.ts'
import { lockFulfillmentOrder, type FulfillmentOrderRow } from './shipments.ts'

export interface PackedUnits {
  sku: string
  quantity: number
}

/** What a person says of work, as a 3PL's system would. */
export type Word =
  | { kind: 'accept' }
  | { kind: 'reject'; reason: string }
  | { kind: 'short'; key: string | null; reason: string; lines: readonly PackedUnits[] }
  | {
      kind: 'ship'
      key: string
      carrier: string | null
      tracking_number: string | null
      tracking_url: string | null
      shipped_at: Date | null
      /** Null: everything that the work still holds. */
      lines: readonly PackedUnits[] | null
    }

/** `unchanged`: the same was said before. */
export interface HandDone {
  outcome: 'applied' | 'unchanged'
  summary: string
}

const OVER = new Set(['CLOSED', 'CANCELLED'])

/**
 * Takes a person's word about work, for places without a system of their own and where somebody knows better. It goes the way of a
 * 3PL's message, with the person as its source. The same word again is `unchanged`. Faults: `not_found`; `conflict` when the work is
 * over, or the key was used for something else; and what a 3PL's message would be parked with (`over_shipped`, `unknown_order_line`).
 */
export async function sayByHand(
  tx: Tx,
  ctx: CoreContext,
  { number, actor, word }: { number: string; actor: string; word: Word },
): Promise<HandDone> {
  const connection_id = await speakFor(tx, number, word)
  const work = await lockFulfillmentOrder(tx, connection_id, number)
  if (work instanceof HubError) throw work
  const earlier = await earlierWord(tx, connection_id, work, word)
  if (earlier !== null) return sameOrConflict(earlier, word)
  const fact = await factOf(tx, ctx, work, word)
  const { outcomes } = await applyFacts(tx, ctx, [{ connection_id, source: actor, fact }])
  const [outcome] = outcomes
  if (outcome?.kind === 'parked') throw outcome.error
  if (outcome?.kind !== 'applied') return unchanged(work, word)
  const data = { number, ...('key' in word ? { key: word.key } : {}) }
  const subject = `fulfillment_order:${number}`
  await writeAudit(tx, { at: ctx.now, actor, action: `fulfillment.${word.kind}`, subject, data })
  return { outcome: 'applied', summary: outcome.summary }
}

/** The company's own connection stands for its people; its row is there from the first word on. */
async function speakFor(tx: Tx, number: string, word: Word): Promise<string> {
  const [found] = await tx.query<{ company_id: string }>(
    'select o.company_id from fulfillment_orders f join orders o on o.id = f.order_id where f.number = $1',
    [number],
  )
  if (found === undefined) throw new HubError('not_found', `there is no fulfillment order ${number}`)
  const id = internalConnectionId(found.company_id)
  await takeTurn(tx, [found.company_id], 'side_by_side')
  if (word.kind === 'ship') {
    const numbers = word.tracking_number === null ? await labelNumbersOf(tx, [number]) : [word.tracking_number]
    await takeNames(tx, [found.company_id], numbers.map(parcelName))
  }
  await tx.query(
    `insert into connections (id, connector, company_id) values ($1, 'internal', $2) on conflict (id) do nothing`,
    [id, found.company_id],
  )
  return id
}

async function earlierWord(
  tx: Tx,
  connection_id: string,
  work: FulfillmentOrderRow,
  word: Word,
): Promise<Earlier | null> {
  if (word.kind === 'ship') return earlierShipment(tx, connection_id, work, word)
  return word.kind === 'short' && word.key !== null ? earlierShortPick(tx, work, word.key, word.lines) : null
}

function sameOrConflict(earlier: Earlier, word: Word): HandDone {
  if (earlier.same) return { outcome: 'unchanged', summary: earlier.summary }
  throw new HubError('conflict', `this key was used for something else: ${earlier.summary}`, {
    path: 'key',
    hint: `choose a new key for each ${word.kind === 'ship' ? 'shipment' : 'message'}`,
  })
}

async function factOf(tx: Tx, ctx: CoreContext, work: FulfillmentOrderRow, word: Word): Promise<Fact> {
  if (word.kind === 'ship') return { kind: 'shipment', document: await shipmentOf(tx, ctx, work, word) }
  const answer = { fulfillment_order: work.number, at: ctx.now.toISOString() }
  const document: Acknowledgement =
    word.kind === 'accept'
      ? { ...answer, verdict: 'accepted', reason: null }
      : word.kind === 'short'
        ? { ...answer, verdict: 'short', reason: word.reason, lines: [...word.lines], ...named(word.key) }
        : // Work that was called back is given back by this; any other is refused.
          { ...answer, verdict: 'cancelled', reason: word.reason }
  return { kind: 'acknowledgement', document }
}

const named = (key: string | null): { reference?: string } => (key === null ? {} : { reference: key })

async function shipmentOf(
  tx: Tx,
  ctx: CoreContext,
  work: FulfillmentOrderRow,
  { key, carrier, tracking_number, tracking_url, shipped_at, lines }: Extract<Word, { kind: 'ship' }>,
): Promise<Shipment> {
  if (shipped_at !== null && shipped_at > ctx.now)
    throw new HubError('bad_request', 'goods that have not left yet cannot be reported as shipped', {
      path: 'shipped_at',
    })
  const packed = lines ?? (await stillHeld(tx, work))
  if (packed.length === 0) throw new HubError('conflict', `${work.number} holds nothing that could be shipped`)
  return {
    external_id: key,
    fulfillment_order: work.number,
    shipped_at: (shipped_at ?? ctx.now).toISOString(),
    carrier,
    tracking_number,
    tracking_url,
    lines: packed.map(({ sku, quantity }) => ({ sku, quantity, line_reference: null, lot: null })),
  }
}

async function stillHeld(tx: Tx, work: FulfillmentOrderRow): Promise<PackedUnits[]> {
  return tx.query<PackedUnits>(
    `select i.sku, sum(r.quantity)::int as quantity from reservations r join items i on i.id = r.item_id
     where r.fulfillment_order_id = $1 and r.state = 'committed' and r.quantity > 0 group by i.sku order by i.sku`,
    [work.id],
  )
}

/** Nothing changed because it is so already, or because it is too late. */
function unchanged(work: FulfillmentOrderRow, word: Word): HandDone {
  const wanted = { accept: 'IN_PROGRESS', reject: 'CANCELLED', short: null, ship: null }[word.kind]
  if (OVER.has(work.state) && work.state !== wanted)
    throw new HubError('conflict', `${work.number} is ${work.state} already`, {
      hint: 'look at its order: what is still wanted of it has other work by now',
    })
  return { outcome: 'unchanged', summary: `${work.number} is as you say already` }
}
