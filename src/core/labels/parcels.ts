import { addEffects, cancelEffects, holdEffects, type EffectKind, type NewEffect } from '../../db/outbox.ts'
import type { Tx } from '../../db/pool.ts'
import { closeCases } from '../cases/cases.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import type { LabelChoices, ParcelState } from '../model/label.ts'

/** Names of the effects by which a parcel comes by its label. One each: a second purchase would need a second parcel. */
export const ratesKey = (reference: string): string => `label.rates:${reference}`
export const buyKey = (reference: string): string => `label.buy:${reference}`
export const voidKey = (reference: string): string => `label.void:${reference}`

/** SQL: parcels that have a label or are about to. The unique index `parcels_one_living` says the same. */
export const LIVING = `state not in ('voiding', 'voided', 'dropped')`
/** Work that waits for its label leaves at this moment, that is, not before somebody says so. */
export const NOT_BEFORE_ITS_LABEL = new Date('9999-12-31T00:00:00Z')

export interface ParcelRow {
  id: string
  reference: string
  connection_id: string
  fulfillment_order_id: string
  order_id: string
  state: ParcelState
  chosen_by: 'rules' | 'hand'
  unwanted_at: Date | null
}

export const PARCEL_COLUMNS =
  'p.id, p.reference, p.connection_id, p.fulfillment_order_id, p.order_id, p.state, p.chosen_by, p.unwanted_at'

export interface WorkToLabel {
  id: string
  number: string
  order_id: string
  /** Of the place. */
  labels: LabelChoices
  /** Before this the work may still change without cost. */
  not_before: Date
}

/** A parcel for each of these works, and the question what carriers would take for it. Their orders are locked. */
export async function wantLabels(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'newId'>,
  works: readonly WorkToLabel[],
  chosen_by: ParcelRow['chosen_by'] = 'rules',
): Promise<void> {
  if (works.length === 0) return
  const made = works.map((work) => ({
    parcel_id: ctx.newId(),
    connection_id: work.labels.connection,
    work_id: work.id,
    number: work.number,
    order_id: work.order_id,
    // What it really weighs is known once its units are.
    weight_g: work.labels.parcel.unit_weight_g,
  }))
  const rows = await tx.query<{ fulfillment_order_id: string; reference: string }>(
    `insert into parcels (id, connection_id, fulfillment_order_id, order_id, reference, weight_g, state, chosen_by, created_at)
     select n.id, n.connection_id, n.work_id, n.order_id,
       n.number || '-' || (select count(*) + 1 from parcels p where p.fulfillment_order_id = n.work_id), n.weight_g, 'wanted', $7, $8
     from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::uuid[], $6::int[])
       as n(id, connection_id, work_id, number, order_id, weight_g)
     returning fulfillment_order_id, reference`,
    [...columns(made, ['parcel_id', 'connection_id', 'work_id', 'number', 'order_id', 'weight_g']), chosen_by, ctx.now],
  )
  const referenceOf = new Map(rows.map((row) => [row.fulfillment_order_id, row.reference]))
  const effects = works.flatMap((work): NewEffect[] => {
    const reference = referenceOf.get(work.id)
    if (reference === undefined) return []
    const { order_id, not_before, labels } = work
    return [effectOf('label.rates', { reference, order_id, connection_id: labels.connection }, not_before)]
  })
  await addEffects(tx, effects, ctx.now)
}

const KEYS: Readonly<Record<'label.rates' | 'label.buy' | 'label.void', (reference: string) => string>> = {
  'label.rates': ratesKey,
  'label.buy': buyKey,
  'label.void': voidKey,
}

export const effectOf = (
  kind: Extract<EffectKind, keyof typeof KEYS>,
  { reference, order_id, connection_id }: Pick<ParcelRow, 'reference' | 'order_id' | 'connection_id'>,
  not_before: Date,
): NewEffect => ({
  connection_id,
  kind,
  key: KEYS[kind](reference),
  reference: { parcel: reference },
  order_id,
  not_before,
})

/** Work whose parcel has been weighed, or is being, takes no further units: they would leave with a label that says too little. */
export async function sealedWork(
  tx: Tx,
  parcels: readonly { work_id: string; reference: string }[],
): Promise<Set<string>> {
  if (parcels.length === 0) return new Set()
  const effects = await holdEffects(
    tx,
    parcels.map(({ reference }) => ratesKey(reference)),
  )
  return new Set(
    parcels.flatMap(({ work_id, reference }) => (effects.get(ratesKey(reference)) === 'waiting' ? [] : work_id)),
  )
}

/**
 * The labels of work that is over without having left are not wanted any more: what has not been bought will not be, what has been is
 * given back, and a purchase that is under way is given back as soon as it is known. Work of which a parcel has left keeps its label.
 * The orders are locked by the caller.
 */
export async function dropLabels(tx: Tx, ctx: Pick<CoreContext, 'now'>, work_ids: readonly string[]): Promise<void> {
  if (work_ids.length === 0) return
  const parcels = await tx.query<ParcelRow>(
    `select ${PARCEL_COLUMNS} from parcels p
     where p.fulfillment_order_id = any($1::uuid[]) and p.${LIVING} and not exists (
       select 1 from shipments s where s.order_id = p.order_id and s.fulfillment_order_id = p.fulfillment_order_id)
     order by p.id for no key update of p`,
    [work_ids],
  )
  await takeBack(tx, ctx, parcels)
}

/** Goods left before their label was there: it would be paid for nothing. One that has been bought may be on the parcel and stays. */
export async function dropUnboughtLabels(tx: Tx, ctx: Pick<CoreContext, 'now'>, work_id: string): Promise<void> {
  const parcels = await tx.query<ParcelRow>(
    `select ${PARCEL_COLUMNS} from parcels p
     where p.fulfillment_order_id = $1 and p.${LIVING} and p.state <> 'bought' for no key update of p`,
    [work_id],
  )
  await takeBack(tx, ctx, parcels)
}

async function takeBack(tx: Tx, ctx: Pick<CoreContext, 'now'>, parcels: readonly ParcelRow[]): Promise<void> {
  if (parcels.length === 0) return
  const caught = new Set(
    await cancelEffects(
      tx,
      parcels.flatMap(({ reference }) => [ratesKey(reference), buyKey(reference)]),
    ),
  )
  const bought = parcels.filter(({ state }) => state === 'bought')
  const underWay = parcels.filter(({ state, reference }) => state === 'buying' && !caught.has(buyKey(reference)))
  const other = parcels.filter((parcel) => !bought.includes(parcel) && !underWay.includes(parcel))
  await setState(tx, other, 'dropped')
  await closeMissing(tx, ctx, other, 'labels')
  await tx.query('update parcels set unwanted_at = $2 where id = any($1::uuid[])', [idsOf(underWay), ctx.now])
  await giveBack(tx, ctx, bought)
}

/** Nobody need look for these labels any more. */
export async function closeMissing(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  parcels: readonly ParcelRow[],
  by: string,
): Promise<void> {
  if (parcels.length === 0) return
  const works = await tx.query<{ number: string }>('select number from fulfillment_orders where id = any($1::uuid[])', [
    parcels.map(({ fulfillment_order_id }) => fulfillment_order_id),
  ])
  const subjects = works.map(({ number }) => `fulfillment_order:${number}`)
  await closeCases(tx, { kind: 'label_missing', subjects }, by, ctx.now)
}

/** Labels that have been bought and are of no use. */
export async function giveBack(tx: Tx, ctx: Pick<CoreContext, 'now'>, parcels: readonly ParcelRow[]): Promise<void> {
  if (parcels.length === 0) return
  await setState(tx, parcels, 'voiding')
  await addEffects(
    tx,
    parcels.map((parcel) => effectOf('label.void', parcel, ctx.now)),
    ctx.now,
  )
}

const idsOf = (parcels: readonly ParcelRow[]): string[] => parcels.map(({ id }) => id)

export async function setState(tx: Tx, parcels: readonly ParcelRow[], state: ParcelState): Promise<void> {
  if (parcels.length === 0) return
  await tx.query('update parcels set state = $2 where id = any($1::uuid[])', [idsOf(parcels), state])
}

/** The label that a parcel of this work leaves with, unless another parcel of it has left with it already. */
export async function unusedLabel(
  tx: Tx,
  work_id: string,
): Promise<{ carrier: string; tracking_number: string; tracking_url: string | null } | undefined> {
  const [label] = await tx.query<{ carrier: string; tracking_number: string; tracking_url: string | null }>(
    `select p.carrier, p.tracking_number, p.tracking_url from parcels p
     where p.fulfillment_order_id = $1 and p.state = 'bought' and not exists (
       select 1 from shipments s where s.order_id = p.order_id and s.fulfillment_order_id = $1 and s.tracking_number = p.tracking_number)`,
    [work_id],
  )
  return label
}

/** Numbers of the labels that wait for parcels of this work, by the work's numbers: whoever ships with one need not tell its number. */
export async function labelNumbersOf(tx: Tx, works: readonly string[]): Promise<string[]> {
  if (works.length === 0) return []
  const rows = await tx.query<{ tracking_number: string }>(
    `select p.tracking_number from fulfillment_orders f join parcels p on p.fulfillment_order_id = f.id
     where f.number = any($1::text[]) and p.tracking_number is not null`,
    [works],
  )
  return rows.map(({ tracking_number }) => tracking_number)
}
