import { writeAudit } from '../../db/audit.ts'
import { addEffects, reviveEffects } from '../../db/outbox.ts'
import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { LabelChoices } from '../model/label.ts'
import { lockOrdersById } from '../orders/sql.ts'
import { takeTurn } from '../turn.ts'
import { keepWorkForLabel, letWorkLeave } from './answers.ts'
import {
  buyKey,
  closeMissing,
  dropUnboughtLabels,
  effectOf,
  giveBack,
  LIVING,
  PARCEL_COLUMNS,
  setState,
  wantLabels,
  type ParcelRow,
} from './parcels.ts'
import type { Offer } from './rulesService.ts'

/** `unchanged`: it was so before. `reference` names the parcel that it is about now; null: there is none. */
export interface LabelDone {
  outcome: 'applied' | 'unchanged'
  reference: string | null
}

interface WorkRow {
  id: string
  number: string
  order_id: string
  state: string
  labels: LabelChoices | null
}

interface HandParcel extends ParcelRow {
  number: string
  rate_external_id: string | null
  choice: { offered: Offer[] } | null
}

const OVER = new Set(['CLOSED', 'CANCELLED'])

/**
 * Asks carriers about the parcel of this work, for a person to choose. Offers that are known already are kept, unless `anew`. Faults:
 * `not_found`; `conflict` for work that is over, a place that buys no labels, and `anew` for a label that is bought or being bought.
 */
export async function askRates(
  tx: Tx,
  ctx: CoreContext,
  asked: { number: string; offers: 'known' | 'anew'; actor: string },
): Promise<LabelDone> {
  const work = await lockWork(tx, asked.number)
  const [living] = await livingParcels(tx, work.id)
  if (living !== undefined && (asked.offers === 'known' || living.state === 'wanted'))
    return { outcome: 'unchanged', reference: living.reference }
  if (living !== undefined && living.state !== 'rated')
    throw new HubError('conflict', `the label of ${work.number} is ${living.state}`, { hint: 'void it first' })
  if (OVER.has(work.state)) throw new HubError('conflict', `${work.number} is ${work.state}: nothing leaves with it`)
  if (work.labels === null)
    throw new HubError('conflict', `the place of ${work.number} buys no labels`, {
      hint: 'configure labels of the location',
    })
  if (living !== undefined) await setState(tx, [living], 'dropped')
  const { labels } = work
  await wantLabels(tx, ctx, [{ ...work, labels, not_before: ctx.now }], 'hand')
  await audit(tx, ctx, asked, 'label.rates')
  const [made] = await livingParcels(tx, work.id)
  return { outcome: 'applied', reference: made?.reference ?? null }
}

/**
 * Buys one of the offers of a parcel, the one that the rules would take where none is named. Faults: `not_found`; `conflict` when there
 * are no offers or the label is bought already at another one.
 */
export async function buyByHand(
  tx: Tx,
  ctx: CoreContext,
  asked: { name: string; rate: string | null; actor: string },
): Promise<LabelDone> {
  const parcel = await lockParcel(tx, asked.name)
  const rate = asked.rate ?? firstFitting(parcel)
  const offer = parcel.choice?.offered.find(({ external_id }) => external_id === rate)
  if (['buying', 'bought'].includes(parcel.state)) {
    if (asked.rate === null || asked.rate === parcel.rate_external_id)
      return { outcome: 'unchanged', reference: parcel.reference }
    throw new HubError('conflict', `the label of ${parcel.number} is ${parcel.state} at another offer`, {
      hint: 'void it first',
    })
  }
  if (parcel.state !== 'rated')
    throw new HubError('conflict', `${parcel.reference} is ${parcel.state}: there is nothing to choose from`, {
      hint: `crossdock labels rates ${parcel.number}`,
    })
  if (offer === undefined)
    throw new HubError('not_found', `${parcel.reference} has no offer ${rate ?? 'that will do'}`, { path: 'rate' })
  await tx.query(
    `update parcels set state = 'buying', rate_external_id = $2, fault = null, unwanted_at = null,
       choice = choice || jsonb_build_object('by', 'hand', 'rate', $2::text)
     where id = $1`,
    [parcel.id, offer.external_id],
  )
  await addEffects(tx, [effectOf('label.buy', parcel, ctx.now)], ctx.now)
  // A purchase that was refused before is the same purchase, now at this offer.
  await reviveEffects(tx, [buyKey(parcel.reference)], ctx.now)
  await audit(tx, ctx, { ...asked, number: parcel.number }, 'label.buy', {
    parcel: parcel.reference,
    carrier: offer.carrier,
    service: offer.service,
    amount_minor: offer.amount_minor,
    currency: offer.currency,
  })
  return { outcome: 'applied', reference: parcel.reference }
}

const firstFitting = ({ choice }: HandParcel): string | null =>
  choice?.offered.find(({ out }) => out === null)?.external_id ?? null

/**
 * Gives a label back, or gives up one that has not been bought. Work that has not left waits for another one. Faults: `not_found`, and
 * `conflict` when a parcel has left with it.
 */
export async function voidByHand(tx: Tx, ctx: CoreContext, asked: { name: string; actor: string }): Promise<LabelDone> {
  const parcel = await lockParcel(tx, asked.name)
  const { reference, state, number } = parcel
  if (['voiding', 'voided', 'dropped'].includes(state)) return { outcome: 'unchanged', reference }
  const [used] = await tx.query(
    `select 1 from shipments s join parcels p on p.id = $1
     where s.order_id = p.order_id and s.fulfillment_order_id = p.fulfillment_order_id and s.tracking_number = p.tracking_number`,
    [parcel.id],
  )
  if (used !== undefined) throw new HubError('conflict', `a parcel of ${number} has left with this label`)
  if (state === 'bought') await giveBack(tx, ctx, [parcel])
  else await dropUnboughtLabels(tx, ctx, parcel.fulfillment_order_id)
  await keepWorkForLabel(tx, number)
  await audit(tx, ctx, { ...asked, number }, 'label.void', { parcel: reference })
  return { outcome: 'applied', reference }
}

/** Lets work leave without a label. Faults: `not_found`, and `conflict` when it has one or does not wait for one. */
export async function skipByHand(
  tx: Tx,
  ctx: CoreContext,
  asked: { number: string; actor: string },
): Promise<LabelDone> {
  const work = await lockWork(tx, asked.number)
  const living = await livingParcels(tx, work.id)
  if (living.some(({ state }) => state === 'bought' || state === 'buying'))
    throw new HubError('conflict', `${work.number} has a label, or one is being bought`, { hint: 'void it first' })
  await dropUnboughtLabels(tx, ctx, work.id)
  await closeMissing(tx, ctx, living, asked.actor)
  if (!(await letWorkLeave(tx, ctx, work.number))) {
    if (living.length > 0) return { outcome: 'applied', reference: null }
    throw new HubError('conflict', `${work.number} does not wait for a label`)
  }
  await audit(tx, ctx, asked, 'label.skip')
  return { outcome: 'applied', reference: null }
}

/** The order first, then its work, as everybody locks them. */
async function lockWork(tx: Tx, number: string): Promise<WorkRow> {
  const [found] = await tx.query<{ order_id: string; company_id: string }>(
    'select f.order_id, o.company_id from fulfillment_orders f join orders o on o.id = f.order_id where f.number = $1',
    [number],
  )
  if (found === undefined) throw new HubError('not_found', `there is no fulfillment order ${number}`)
  await takeTurn(tx, [found.company_id], 'side_by_side')
  await lockOrdersById(tx, [found.order_id])
  const [work] = await tx.query<WorkRow>(
    `select f.id, f.number, f.order_id, f.state, l.labels from fulfillment_orders f join locations l on l.id = f.location_id
     where f.number = $1 for no key update of f`,
    [number],
  )
  if (work === undefined) throw new HubError('not_found', `there is no fulfillment order ${number}`)
  return work
}

/** By its reference, or the newest of a fulfillment order by that one's number. */
async function lockParcel(tx: Tx, name: string): Promise<HandParcel> {
  const [found] = await tx.query<{ id: string; number: string }>(
    `select p.id, f.number from parcels p join fulfillment_orders f on f.id = p.fulfillment_order_id
     where p.reference = $1 or f.number = $1 order by p.reference = $1 desc, p.id desc limit 1`,
    [name],
  )
  if (found === undefined)
    throw new HubError('not_found', `there is no parcel ${name}`, { hint: 'crossdock labels list' })
  await lockWork(tx, found.number)
  const [parcel] = await tx.query<HandParcel>(
    `select ${PARCEL_COLUMNS}, p.rate_external_id, p.choice, $2::text as number from parcels p where p.id = $1 for no key update of p`,
    [found.id, found.number],
  )
  if (parcel === undefined) throw new HubError('not_found', `there is no parcel ${name}`)
  return parcel
}

async function livingParcels(tx: Tx, work_id: string): Promise<ParcelRow[]> {
  return tx.query<ParcelRow>(
    `select ${PARCEL_COLUMNS} from parcels p where p.fulfillment_order_id = $1 and p.${LIVING} for no key update of p`,
    [work_id],
  )
}

async function audit(
  tx: Tx,
  ctx: CoreContext,
  { number, actor }: { number: string; actor: string },
  action: string,
  data: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await writeAudit(tx, { at: ctx.now, actor, action, subject: `fulfillment_order:${number}`, data })
}
