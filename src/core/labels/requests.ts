import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import type { ErrorCode } from '../errors.ts'
import { addressOf, NO_ADDRESS, type EffectRef } from '../fulfillment/requests.ts'
import type { LabelRequest, RateRequest } from '../model/effects.ts'
import type { LabelChoices } from '../model/label.ts'
import type { Address } from '../model/party.ts'
import { weighParcel, type PackedItem, type Weighed } from './rulesParcel.ts'

interface WantedRow {
  id: string
  reference: string
  labels: LabelChoices | null
  place: Pick<Address, 'company' | 'postcode' | 'country'>
  person_id: string | null
  currency: string | null
  lines: RateRequest['lines']
}

/** Units that are still to leave with this work. */
const TO_LEAVE = `r.state = 'committed' and r.quantity > 0`

export interface LoadedRates {
  requests: RateRequest[]
  /** What no carrier can be asked about, and why. */
  refused: { outbox_id: number; code: ErrorCode; detail: string }[]
}

/**
 * Parcels that carriers are to be asked about, with what is in them now. The address leaves the vault only here. Parcels that are not
 * wanted any more, or whose work holds nothing, are left out. Faults: `vault_sealed`.
 */
export async function loadRateRequests(
  q: Queryable,
  ctx: Pick<CoreContext, 'vault'>,
  effects: readonly EffectRef[],
): Promise<LoadedRates> {
  const rows = await q.query<WantedRow>(
    `select p.id, p.reference, l.labels, jsonb_build_object('company', l.name, 'postcode', l.postcode, 'country', l.country) as place,
       o.person_id, o.currency, w.lines
     from parcels p
     join fulfillment_orders f on f.id = p.fulfillment_order_id
     join orders o on o.id = p.order_id
     join locations l on l.id = f.location_id
     join lateral (
       select jsonb_agg(jsonb_build_object('sku', g.sku, 'title', g.title, 'quantity', g.quantity, 'value_minor', g.value_minor,
                                           'origin_country', null) order by g.line_id, g.sku) as lines
       from (
         select i.sku, ol.id as line_id, ol.title, sum(r.quantity)::int as quantity,
           ol.unit_price_minor / (select sum(c.per_unit) from (select item_id, max(per_unit) as per_unit from reservations
             where order_line_id = ol.id group by item_id) c)::bigint as value_minor
         from reservations r join items i on i.id = r.item_id join order_lines ol on ol.id = r.order_line_id
         where r.fulfillment_order_id = f.id and ${TO_LEAVE}
         group by i.sku, ol.id
       ) g
     ) w on w.lines is not null
     where p.reference = any($1::text[]) and p.state = 'wanted'`,
    [effects.map(({ reference }) => String(reference['parcel']))],
  )
  const weights = await weighParcels(q, rows)
  const wanted = new Map(rows.map((row) => [row.reference, row]))
  const loaded: LoadedRates = { requests: [], refused: [] }
  for (const { id: outbox_id, reference } of effects) {
    const row = wanted.get(String(reference['parcel']))
    const parcel = row === undefined ? undefined : weights.get(row.id)
    if (row === undefined) continue
    const refuse = (detail: string): unknown => loaded.refused.push({ outbox_id, code: 'bad_request', detail })
    if (row.labels === null || parcel === undefined) {
      refuse('the place buys no labels any more')
      continue
    }
    const ship_to = await addressOf(q, ctx, { person_id: row.person_id, to_place: null })
    if (ship_to === null) {
      refuse('the order has no address, or its person was erased')
      continue
    }
    const { lines, labels } = row
    const ship_from: Address = { ...NO_ADDRESS, ...row.place, ...labels.ship_from }
    const currency = row.currency ?? labels.currency
    loaded.requests.push({ outbox_id, reference: row.reference, ship_from, ship_to, parcel, currency, lines })
  }
  return loaded
}

/** What these parcels weigh and measure now, by their ids. One without units or whose place buys no labels is left out. */
export async function weighParcels(
  q: Queryable,
  parcels: readonly { id: string; labels: LabelChoices | null }[],
): Promise<Map<string, Weighed>> {
  const packed = await q.query<PackedItem & { parcel_id: string }>(
    `select p.id as parcel_id, sum(r.quantity)::int as quantity, i.weight_g, i.size_mm
     from parcels p join reservations r on r.fulfillment_order_id = p.fulfillment_order_id and ${TO_LEAVE}
     join items i on i.id = r.item_id
     where p.id = any($1::uuid[]) group by p.id, i.id`,
    [parcels.map(({ id }) => id)],
  )
  const byParcel = Map.groupBy(packed, (row) => row.parcel_id)
  return new Map(
    parcels.flatMap(({ id, labels }): [string, Weighed][] => {
      const items = byParcel.get(id)
      return items === undefined || labels === null ? [] : [[id, weighParcel(items, labels.parcel)]]
    }),
  )
}

export interface LoadedLabels {
  requests: LabelRequest[]
  /** Effects whose parcel nobody wants any more: if it turns out that nothing has been bought yet, nothing is. */
  unwanted: ReadonlySet<number>
}

/** Labels that are to be bought or given back. What has been done already, or was taken back in time, is left out. */
export async function loadLabelRequests(q: Queryable, effects: readonly EffectRef[]): Promise<LoadedLabels> {
  const rows = await q.query<{
    reference: string
    state: string
    external_id: string
    rate_external_id: string
    tracking_number: string | null
    unwanted: boolean
  }>(
    `select reference, state, external_id, rate_external_id, tracking_number, unwanted_at is not null as unwanted
     from parcels where reference = any($1::text[]) and external_id is not null and rate_external_id is not null`,
    [effects.map(({ reference }) => String(reference['parcel']))],
  )
  const parcels = new Map(rows.map((row) => [row.reference, row]))
  const present = effects.flatMap(({ id, kind, reference }) => {
    const row = parcels.get(String(reference['parcel']))
    const action = kind === 'label.void' ? ('void' as const) : ('buy' as const)
    if (row === undefined || !WAITING_FOR[action].has(row.state)) return []
    return [{ id, action, row }]
  })
  return {
    requests: present.map(({ id, action, row: { reference, external_id, rate_external_id, tracking_number } }) => ({
      outbox_id: id,
      action,
      reference,
      parcel_external_id: external_id,
      rate_external_id,
      tracking_number: action === 'void' ? tracking_number : null,
    })),
    unwanted: new Set(present.flatMap(({ id, action, row }) => (action === 'buy' && row.unwanted ? id : []))),
  }
}

/** A purchase that was refused and is tried again is that of a parcel whose offers are known. */
const WAITING_FOR: Readonly<Record<LabelRequest['action'], ReadonlySet<string>>> = {
  buy: new Set(['buying', 'rated']),
  void: new Set(['voiding']),
}
