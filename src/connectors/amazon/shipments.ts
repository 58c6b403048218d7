import { createHash } from 'node:crypto'
import Type from 'typebox'
import { asHubError, type HubError } from '../../core/errors.ts'
import type { EffectNote, EffectResult, ShipmentNotice } from '../../core/model/effects.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port } from '../_kit/define.ts'
import { carrierOf } from './carriers.ts'
import { fetchOrder } from './orders.ts'
import { apiOf, type Settings } from './settings.ts'

const open = { additionalProperties: true } as const
const maybe = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const readStanding = checker(
  Type.Object(
    {
      salesChannel: Type.Object({ marketplaceId: maybe(Type.String()) }, open),
      fulfillment: maybe(Type.Object({ fulfillmentStatus: maybe(Type.String()) }, open)),
      orderItems: Type.Array(
        Type.Object(
          {
            orderItemId: Type.String(),
            fulfillment: maybe(Type.Object({ quantityUnfulfilled: maybe(Type.Integer()) }, open)),
          },
          open,
        ),
      ),
      packages: maybe(Type.Array(Type.Object({ packageReferenceId: Type.String() }, open))),
    },
    open,
  ),
  'vendor_response_invalid',
)
type Standing = ReturnType<typeof readStanding>

const standingOf = async (port: Port<Settings>, { order_external_id }: ShipmentNotice): Promise<Standing> =>
  readStanding(await fetchOrder(port, order_external_id, 'FULFILLMENT,PACKAGES'))

/**
 * Amazon wants a positive number, written as text, that names the parcel within its order, and takes a second notice under the same
 * number for a correction of the first. Made from our own id it is the same at every attempt and unlike what a person would type in.
 */
function packageReference({ shipment_id }: ShipmentNotice): string {
  const hash = createHash('sha256').update(shipment_id).digest()
  return String(100_000_000 + (hash.readUInt32BE(0) % 900_000_000))
}

/** One parcel a call. The order is looked at only when Amazon refuses: then it may be cancelled, or have no units left to ship. */
export async function sendShipments(port: Port<Settings>, notices: readonly ShipmentNotice[]): Promise<EffectResult[]> {
  const results: EffectResult[] = []
  for (const notice of notices) results.push(await sendShipment(port, notice))
  return results
}

async function sendShipment(port: Port<Settings>, notice: ShipmentNotice): Promise<EffectResult> {
  const { outbox_id, tracking_number } = notice
  const external_id = packageReference(notice)
  if (tracking_number === null) {
    const detail = 'Amazon takes no parcel without a tracking number: confirm it in Seller Central'
    return { outbox_id, outcome: 'refused', code: 'vendor_rejected', detail }
  }
  const units = unitsByLine(notice)
  try {
    await confirm(port, notice, units)
    return { outbox_id, outcome: 'done', external_id }
  } catch (thrown) {
    const fault = asHubError(thrown)
    if (fault.code !== 'vendor_rejected' && fault.code !== 'vendor_conflict') throw fault
    return await afterRefusal(port, notice, fault)
  }
}

/** An account that sells in one store sells everything there; otherwise the order says in which. */
async function storeOf(port: Port<Settings>, notice: ShipmentNotice): Promise<string | undefined> {
  const [only, ...others] = apiOf(port.settings).marketplace_ids
  return others.length === 0 ? only : ((await standingOf(port, notice)).salesChannel.marketplaceId ?? only)
}

type Units = readonly (readonly [line_external_id: string, quantity: number])[]

async function confirm(port: Port<Settings>, notice: ShipmentNotice, units: Units): Promise<void> {
  const marketplaceId = await storeOf(port, notice)
  const packageDetail = {
    packageReferenceId: packageReference(notice),
    ...carrierOf(notice.carrier, port.settings.carriers),
    trackingNumber: notice.tracking_number,
    shipDate: notice.shipped_at,
    orderItems: units.map(([orderItemId, quantity]) => ({ orderItemId, quantity })),
  }
  await port.http.request({
    operation: 'confirmShipment',
    method: 'POST',
    path: `/orders/v0/orders/${encodeURIComponent(notice.order_external_id)}/shipmentConfirmation`,
    json: { marketplaceId, packageDetail },
    // The same number names the same parcel, so that a repeat changes nothing.
    repeat: 'safe',
  })
}

function unitsByLine({ lines }: ShipmentNotice): [string, number][] {
  const units = new Map<string, number>()
  for (const { line_external_id, quantity } of lines)
    units.set(line_external_id, (units.get(line_external_id) ?? 0) + quantity)
  return [...units]
}

/**
 * The goods are on their way whatever Amazon says: units that the order does not want any more are news to a person, and no fault. What it
 * still wants of the parcel is told by itself.
 */
async function afterRefusal(port: Port<Settings>, notice: ShipmentNotice, fault: HubError): Promise<EffectResult> {
  const { outbox_id } = notice
  const done = { outbox_id, outcome: 'done', external_id: packageReference(notice) } as const
  const standing = await standingOf(port, notice)
  if (isBooked(standing, notice)) return done
  const { wanted, over } = sifted(notice, standing)
  if (over.length === 0) return { outbox_id, outcome: 'refused', code: fault.code, detail: fault.message }
  if (wanted.length > 0) await confirm(port, notice, wanted)
  return { ...done, note: { kind: 'over_shipped', lines: over } }
}

function sifted(notice: ShipmentNotice, standing: Standing): { wanted: Units; over: EffectNote['lines'] } {
  const is_cancelled = standing.fulfillment?.fulfillmentStatus === 'CANCELLED'
  const left = new Map(
    standing.orderItems.map(({ orderItemId, fulfillment }) => [orderItemId, fulfillment?.quantityUnfulfilled ?? 0]),
  )
  const parts = unitsByLine(notice).map(([line_external_id, quantity]) => {
    const wanted = is_cancelled ? 0 : Math.min(quantity, Math.max(0, left.get(line_external_id) ?? 0))
    return { line_external_id, wanted, over: quantity - wanted }
  })
  return {
    wanted: parts.flatMap(({ line_external_id, wanted }) => (wanted > 0 ? [[line_external_id, wanted] as const] : [])),
    over: parts.flatMap(({ line_external_id, over }) => (over > 0 ? [{ line_external_id, quantity: over }] : [])),
  }
}

const isBooked = ({ packages }: Standing, notice: ShipmentNotice): boolean =>
  (packages ?? []).some(({ packageReferenceId }) => packageReferenceId === packageReference(notice))

/** Reads the order's parcels. One that is not there yet may still be told again: the number makes the repeat harmless. */
export async function confirmShipments(
  port: Port<Settings>,
  notices: readonly ShipmentNotice[],
): Promise<'done' | 'not_done' | 'unknown'> {
  const booked: boolean[] = []
  for (const notice of notices) booked.push(isBooked(await standingOf(port, notice), notice))
  return booked.every(Boolean) ? 'done' : booked.some(Boolean) ? 'unknown' : 'not_done'
}
