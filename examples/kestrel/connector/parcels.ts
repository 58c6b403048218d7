import Type from 'typebox'
import type { EffectResult, ShipmentNotice } from '../../../src/core/model/effects.ts'
import { checker } from '../../../src/core/model/validate.ts'
import type { Port } from '../../../src/connectors/_kit/define.ts'

const open = { additionalProperties: true } as const
const Units = Type.Integer({ minimum: 0 })
const readOrder = checker(
  Type.Object(
    {
      status: Type.String(),
      lines: Type.Array(
        Type.Object({ id: Type.String(), quantity: Units, cancelled_quantity: Units, shipped_quantity: Units }, open),
      ),
      parcels: Type.Array(Type.Object({ reference: Type.String() }, open)),
    },
    open,
  ),
  'vendor_response_invalid',
)
type KestrelOrder = ReturnType<typeof readOrder>

/**
 * Tells Kestrel of parcels, one call each. It has no idempotency key, so the call is never repeated: when its answer gets lost the
 * outcome is unknown until `confirmParcel` has looked. The order is read first, because units that the buyer cancelled after they had
 * left would have the whole parcel refused.
 */
export async function sendParcel(port: Port, notices: readonly ShipmentNotice[]): Promise<EffectResult[]> {
  const results: EffectResult[] = []
  for (const notice of notices) results.push(await sendOne(port, notice))
  return results
}

async function sendOne(port: Port, notice: ShipmentNotice): Promise<EffectResult> {
  const order = await fetchOrder(port, notice)
  const done = { outbox_id: notice.outbox_id, outcome: 'done', external_id: notice.shipment_id } as const
  if (isTold(order, notice)) return done
  const { lines, excess } = split(order, notice)
  if (lines.length > 0) {
    const numbers = [notice.tracking_number, ...notice.more_tracking_numbers].filter((number) => number !== null)
    await port.http.request({
      operation: 'parcels.create',
      method: 'POST',
      path: `${orderPath(notice)}/parcels`,
      json: {
        reference: notice.shipment_id,
        carrier: notice.carrier ?? '',
        tracking_number: numbers.join(', '),
        lines,
      },
      repeat: 'once',
    })
  }
  if (excess.length === 0) return done
  const external_id = lines.length === 0 ? null : notice.shipment_id
  return { ...done, external_id, note: { kind: 'over_shipped', lines: excess } }
}

/** What Kestrel still wants of the parcel, and what it does not want any more. */
function split(order: KestrelOrder, notice: ShipmentNotice) {
  const openUnits = new Map(
    order.lines.map((line) => [line.id, line.quantity - line.cancelled_quantity - line.shipped_quantity]),
  )
  const told = notice.lines.map(({ line_external_id, quantity }) => {
    const wanted = Math.min(quantity, Math.max(0, openUnits.get(line_external_id) ?? 0))
    return { line_external_id, wanted, unwanted: quantity - wanted }
  })
  return {
    lines: told.flatMap(({ line_external_id, wanted }) => (wanted > 0 ? [{ line_id: line_external_id, quantity: wanted }] : [])), // prettier-ignore
    excess: told.flatMap(({ line_external_id, unwanted }) => (unwanted > 0 ? [{ line_external_id, quantity: unwanted }] : [])), // prettier-ignore
  }
}

/** Settles a call whose answer got lost: Kestrel shows every parcel by our reference. */
export async function confirmParcel(
  port: Port,
  notices: readonly ShipmentNotice[],
): Promise<'done' | 'not_done' | 'unknown'> {
  const told: boolean[] = []
  for (const notice of notices) told.push(isTold(await fetchOrder(port, notice), notice))
  return told.every(Boolean) ? 'done' : told.some(Boolean) ? 'unknown' : 'not_done'
}

const isTold = ({ parcels }: KestrelOrder, { shipment_id }: ShipmentNotice): boolean =>
  parcels.some(({ reference }) => reference === shipment_id)

const orderPath = ({ order_external_id }: ShipmentNotice): string =>
  `/v1/orders/${encodeURIComponent(order_external_id)}`

async function fetchOrder(port: Port, notice: ShipmentNotice): Promise<KestrelOrder> {
  const call = { operation: 'orders.get', method: 'GET', path: orderPath(notice), repeat: 'safe' } as const
  return readOrder((await port.http.request(call)).body)
}
