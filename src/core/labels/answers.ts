import { addEffects } from '../../db/outbox.ts'
import type { Tx } from '../../db/pool.ts'
import { closeCases, openCases } from '../cases/cases.ts'
import type { CoreContext } from '../context.ts'
import { HubError, type ErrorCode } from '../errors.ts'
import type { EffectRef } from '../fulfillment/requests.ts'
import { newKey } from '../fulfillment/work.ts'
import type { BoughtLabel, EffectAnswer, Rate } from '../model/effects.ts'
import type { LabelChoices } from '../model/label.ts'
import type { LocationServices } from '../model/location.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { nextDeparture } from '../routing/rulesCalendar.ts'
import { keepLabelFiles } from './documents.ts'
import {
  closeMissing,
  effectOf,
  giveBack,
  NOT_BEFORE_ITS_LABEL,
  PARCEL_COLUMNS,
  setState,
  type ParcelRow,
} from './parcels.ts'
import { weighParcels } from './requests.ts'
import { chooseRate, type ServiceChoice } from './rulesService.ts'
import type { Weighed } from './rulesParcel.ts'

type Noting = Pick<CoreContext, 'now' | 'newId' | 'vault'>

/** An effect about a parcel that a vendor has carried out, with what it gave us; undefined: it gave nothing. */
export interface AnsweredEffect {
  effect: EffectRef
  answer: EffectAnswer | undefined
}

interface KnownParcel extends ParcelRow {
  number: string
  company_id: string
  location_id: string
  labels: LabelChoices | null
  services: LocationServices
  timezone: string | null
  ship_country: string | null
  service_level: string | null
  deliver_by: Date | null
}

/** What became of the effects of parcels, in the transaction that ends them. Their orders are locked by the caller. */
export async function noteLabelAnswers(tx: Tx, ctx: Noting, answered: readonly AnsweredEffect[]): Promise<void> {
  const parcels = await lockParcels(tx, answered)
  for (const { effect, answer } of answered) {
    const parcel = parcels.get(String(effect.reference['parcel']))
    if (parcel === undefined) continue
    if (effect.kind === 'label.rates') await noteRates(tx, ctx, parcel, answer)
    else if (effect.kind === 'label.buy') await notePurchase(tx, ctx, { parcel, source: `outbox:${effect.id}`, answer })
    else await noteVoided(tx, ctx, parcel, `outbox:${effect.id}`)
  }
}

async function lockParcels(tx: Tx, about: readonly { effect: EffectRef }[]): Promise<Map<string, KnownParcel>> {
  if (about.length === 0) return new Map()
  const rows = await tx.query<KnownParcel>(
    `select ${PARCEL_COLUMNS}, f.number, o.company_id, f.location_id, l.labels, l.services, l.timezone, o.ship_country, o.service_level,
       o.deliver_by
     from parcels p
     join fulfillment_orders f on f.id = p.fulfillment_order_id
     join orders o on o.id = p.order_id
     join locations l on l.id = f.location_id
     where p.reference = any($1::text[]) order by p.id for no key update of p`,
    [about.map(({ effect }) => String(effect.reference['parcel']))],
  )
  return new Map(rows.map((row) => [row.reference, row]))
}

// ── offers ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function noteRates(tx: Tx, ctx: Noting, parcel: KnownParcel, answer: EffectAnswer | undefined): Promise<void> {
  if (parcel.state !== 'wanted') return
  if (answer?.kind !== 'rates') throw new HubError('internal', `${parcel.reference} was answered without offers`)
  const weighed = (await weighParcels(tx, [parcel])).get(parcel.id)
  // Nothing is left in it: its work is about to be over, and this parcel with it.
  if (weighed === undefined) return setState(tx, [parcel], 'dropped')
  const choice = choose(ctx, parcel, weighed, answer.rates)
  const taken = choice.kind === 'chosen' && parcel.chosen_by === 'rules' ? choice.rate : null
  await tx.query(
    `update parcels set state = $2, external_id = $3, rate_external_id = $4, weight_g = $5, size_mm = $6, choice = $7, fault = null
     where id = $1`,
    [
      parcel.id,
      taken === null ? 'rated' : 'buying',
      answer.parcel_external_id,
      taken?.external_id ?? null,
      weighed.weight_g,
      weighed.size_mm,
      JSON.stringify({
        by: parcel.chosen_by,
        rule: choice.rule,
        rate: taken?.external_id ?? null,
        offered: choice.offered,
      }),
    ],
  )
  if (taken !== null) await addEffects(tx, [effectOf('label.buy', parcel, ctx.now)], ctx.now)
  else if (choice.kind === 'refused' && parcel.chosen_by === 'rules')
    await openMissing(tx, ctx, parcel, `rule "${choice.rule}": ${choice.reason}`)
}

function choose(ctx: Noting, parcel: KnownParcel, { weight_g }: Weighed, rates: readonly Rate[]): ServiceChoice {
  const { labels, services, timezone, ship_country, service_level, deliver_by } = parcel
  if (labels === null) throw new HubError('internal', `${parcel.location_id} buys no labels any more`)
  const leaves = nextDeparture(ctx.now.getTime(), services.calendar, timezone)
  return chooseRate(rates, labels.rules, {
    country: ship_country,
    service_level,
    weight_g,
    currency: labels.currency,
    leaves_at_ms: leaves?.at_ms ?? ctx.now.getTime(),
    deliver_by_ms: deliver_by?.getTime() ?? null,
  })
}

// ── purchases ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Purchase {
  parcel: KnownParcel
  source: string
  answer: EffectAnswer | undefined
}

const NOT_YET_BOUGHT = new Set(['buying', 'rated'])

async function notePurchase(tx: Tx, ctx: Noting, { parcel, source, answer }: Purchase): Promise<void> {
  if (!NOT_YET_BOUGHT.has(parcel.state)) return
  // Nobody wanted it any more, and it turned out that nothing had been bought.
  if (answer === undefined && parcel.unwanted_at !== null) return setState(tx, [parcel], 'dropped')
  if (answer?.kind !== 'label') throw new HubError('internal', `${parcel.reference} was answered without a label`)
  await storeLabel(tx, ctx, parcel, answer.label)
  await keepLabelFiles(tx, ctx, parcel, answer.label.files)
  const { carrier, service, tracking_number, currency, amount_minor } = answer.label
  const data = {
    number: parcel.number,
    parcel: parcel.reference,
    carrier,
    service,
    tracking_number,
    currency,
    amount_minor,
  }
  const fact = { order_id: parcel.order_id, kind: 'label.bought', at: ctx.now, source, data }
  await recordTimeline(tx, [fact], ctx.now)
  await closeMissing(tx, ctx, [parcel], source)
  if (parcel.unwanted_at === null) await letWorkLeave(tx, ctx, parcel.number)
  else await giveBack(tx, ctx, [parcel])
}

async function storeLabel(tx: Tx, ctx: Noting, parcel: KnownParcel, label: BoughtLabel): Promise<void> {
  await tx.query(
    `update parcels set state = 'bought', carrier = $2, service = $3, currency = $4, amount_minor = $5, tracking_number = $6,
       tracking_url = $7, bought_at = $8, fault = null
     where id = $1`,
    [
      parcel.id,
      label.carrier,
      label.service,
      label.currency,
      label.amount_minor,
      label.tracking_number,
      label.tracking_url,
      ctx.now,
    ],
  )
}

/** Work that waited for nothing but its label. What was taken back or taken in hand meanwhile stays here. */
export async function letWorkLeave(tx: Tx, ctx: Pick<CoreContext, 'now'>, number: string): Promise<boolean> {
  const rows = await tx.query(
    `update outbox set next_attempt_at = $2 where key = $1 and state = 'pending' and attempts = 0 and next_attempt_at = $3 returning id`,
    [newKey(number), ctx.now, NOT_BEFORE_ITS_LABEL],
  )
  return rows.length > 0
}

/** Work that has not left waits for another label. */
export async function keepWorkForLabel(tx: Tx, number: string): Promise<void> {
  await tx.query(`update outbox set next_attempt_at = $2 where key = $1 and state = 'pending' and attempts = 0`, [
    newKey(number),
    NOT_BEFORE_ITS_LABEL,
  ])
}

async function noteVoided(tx: Tx, ctx: Noting, parcel: KnownParcel, source: string): Promise<void> {
  if (parcel.state !== 'voiding') return
  await tx.query(`update parcels set state = 'voided', voided_at = $2, fault = null where id = $1`, [
    parcel.id,
    ctx.now,
  ])
  const data = { number: parcel.number, parcel: parcel.reference }
  const fact = { order_id: parcel.order_id, kind: 'label.voided', at: ctx.now, source, data }
  await recordTimeline(tx, [fact], ctx.now)
  await closeCases(tx, { kind: 'label_not_voided', subjects: [`parcel:${parcel.reference}`] }, source, ctx.now)
}

// ── what could not be done ────────────────────────────────────────────────────────────────────────────────────────────────

/** An effect about a parcel that was given up. */
export interface FailedEffect {
  effect: EffectRef
  code: ErrorCode
  detail: string
  /** Whether it may have been carried out nevertheless. */
  in_doubt: boolean
}

/** A person is asked: what is missing, why, and what can be done. Their orders are locked by the caller. */
export async function noteLabelFaults(tx: Tx, ctx: Noting, failed: readonly FailedEffect[]): Promise<void> {
  const parcels = await lockParcels(tx, failed)
  for (const { effect, code, detail, in_doubt } of failed) {
    const parcel = parcels.get(String(effect.reference['parcel']))
    if (parcel === undefined) continue
    const reason = `${code}: ${detail}`
    if (effect.kind === 'label.void') await openNotVoided(tx, ctx, parcel, reason)
    else if (effect.kind === 'label.rates') await openMissing(tx, ctx, parcel, reason)
    else await notePurchaseRefused(tx, ctx, parcel, in_doubt ? `it may have been bought all the same; ${reason}` : reason, in_doubt ? 'doubt' : 'refused') // prettier-ignore
  }
}

async function notePurchaseRefused(
  tx: Tx,
  ctx: Noting,
  parcel: KnownParcel,
  reason: string,
  how: 'doubt' | 'refused',
): Promise<void> {
  if (parcel.state !== 'buying') return
  if (how === 'refused') await setState(tx, [parcel], parcel.unwanted_at === null ? 'rated' : 'dropped')
  if (how === 'doubt' || parcel.unwanted_at === null) await openMissing(tx, ctx, parcel, reason)
}

async function openMissing(tx: Tx, ctx: Noting, parcel: KnownParcel, reason: string): Promise<void> {
  const { number, reference, location_id, order_id, connection_id, company_id } = parcel
  await tx.query('update parcels set fault = $2 where id = $1', [parcel.id, reason.slice(0, 500)])
  const todo = `crossdock labels rates ${number} shows what is offered; then buy one of them, or let the work go without a label (labels skip)`
  const data = {
    what: `${number} waits for a label`,
    location_id,
    order_id,
    parcel: reference,
    reason: reason.slice(0, 500),
    todo,
  }
  await openCases(
    tx,
    [{ company_id, kind: 'label_missing', subject: `fulfillment_order:${number}`, connection_id, data }],
    ctx.now,
  )
}

async function openNotVoided(tx: Tx, ctx: Noting, parcel: KnownParcel, reason: string): Promise<void> {
  const { number, reference, order_id, connection_id, company_id } = parcel
  await tx.query('update parcels set fault = $2 where id = $1', [parcel.id, reason.slice(0, 500)])
  const todo = `ask the carrier for the money, or replay the dead letter of label.void:${reference}`
  const data = { what: `the label of ${number} was not given back`, order_id, reason: reason.slice(0, 500), todo }
  await openCases(
    tx,
    [{ company_id, kind: 'label_not_voided', subject: `parcel:${reference}`, connection_id, data }],
    ctx.now,
  )
}
