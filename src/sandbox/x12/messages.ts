import type { Parcel, Units, Work, WorkLine } from '../threeplLedger.ts'
import type { Order } from '../threeplOrders.ts'
import { stampOf, type ReadFile, type ReadSet } from './codec.ts'

/** What a depositor's 940 asks for. */
export function orderOf({ segments }: ReadSet): Order | undefined {
  const [w05] = segments
  if (w05?.[0] !== 'W05' || (w05[2] ?? '') === '') return undefined
  const lines: WorkLine[] = []
  for (const [id, ...elements] of segments) {
    if (id === 'W01') lines.push({ sku: elements[4] ?? '', quantity: Number(elements[0]), line_reference: '' })
    const last = lines.at(-1)
    if (id === 'N9' && elements[0] === 'LI' && last !== undefined) last.line_reference = elements[1] ?? ''
  }
  const w76 = segments.find(([id]) => id === 'W76')
  const units = lines.reduce((sum, { quantity }) => sum + quantity, 0)
  if (w76 !== undefined && Number(w76[1]) !== units) return undefined
  return {
    action: w05[1] === 'F' ? 'CANCEL' : 'NEW',
    fulfillment_order: w05[2] ?? '',
    order_number: w05[3] ?? '',
    lines,
  }
}

/** 997 to one of the depositor's files: every set that could be read is taken. */
export function acknowledgementOf(read: ReadFile, sound: (set: ReadSet) => boolean): string[] {
  const accepted = read.sets.filter(sound).length
  const status = accepted === read.sets.length ? 'A' : accepted === 0 ? 'R' : 'P'
  return [
    `AK1*${read.functional}*${Number(read.group)}`,
    ...read.sets.flatMap((set) => [`AK2*${set.id}*${set.control}`, sound(set) ? 'AK5*A' : 'AK5*R*5']),
    `AK9*${status}*${read.sets.length}*${read.sets.length}*${accepted}`,
  ]
}

const warehouse = (code: string): string => `N1*WH**91*${code}`

interface Told {
  fulfillment_order: string
  shipment_id: string
  tracking_number: string | null
  at_ms: number
  lines: { line: WorkLine; shipped: number; status: string }[]
}

function advice(told: Told, code: string): string[] {
  const { date, time } = stampOf(told.at_ms)
  const units = told.lines.reduce((sum, { shipped }) => sum + shipped, 0)
  return [
    `W06*F*${told.fulfillment_order}*${date}*${told.shipment_id}`,
    warehouse(code),
    `G62*11*${date}*8*${time}*UT`,
    ...(told.tracking_number === null ? [] : ['W27*M*PPST*PARCEL POST']),
    'LX*1',
    ...(told.tracking_number === null ? [] : [`MAN*CP*${told.tracking_number}`]),
    ...told.lines.flatMap(({ line, shipped, status }) => [
      `W12*${status}*${line.quantity}*${shipped}*${line.quantity - shipped}*EA**VN*${line.sku}`,
      ...(line.line_reference === '' ? [] : [`N9*LI*${line.line_reference}`]),
    ]),
    `W03*${units}`,
  ]
}

/** A parcel has left. Of what did not leave, the last parcel says that it will not come; an earlier one that it follows. */
export function parcelAdvice(parcel: Parcel, work: Pick<Work, 'remaining'>, code: string): string[] {
  const shipped = new Map(parcel.lines.map((line) => [`${line.line_reference} ${line.sku}`, line.quantity]))
  const lines = work.remaining.flatMap((line) => {
    const units = shipped.get(`${line.line_reference} ${line.sku}`) ?? 0
    const status = units === line.quantity ? 'CC' : parcel.last ? 'CP' : units === 0 ? 'BO' : 'BP'
    return [{ line, shipped: units, status }]
  })
  const { fulfillment_order, shipment_id, tracking_number } = parcel
  return advice({ fulfillment_order, shipment_id, tracking_number, at_ms: Date.parse(parcel.shipped_at), lines }, code)
}

/** Nothing will leave: called back in time, or nothing there to leave. */
export function emptyAdvice(
  order: Pick<Order, 'fulfillment_order' | 'lines'>,
  verdict: 'cancelled' | 'rejected',
  at_ms: number,
  code: string,
): string[] {
  const status = verdict === 'cancelled' ? 'IC' : 'DS'
  const lines = order.lines.map((line) => ({ line, shipped: 0, status }))
  const shipment_id = `${verdict === 'cancelled' ? 'X' : 'N'}${stampOf(at_ms).time}`
  return advice({ ...order, shipment_id, tracking_number: null, at_ms, lines }, code)
}

/** 846: everything that lies here (purpose 00), or what changed since the last one (04). */
export function inventory(purpose: '00' | '04', stock: readonly Units[], at_ms: number, code: string): string[] {
  const { date, time } = stampOf(at_ms)
  return [
    `BIA*${purpose}*SI*${purpose}${date}${time}*${date}*${time}`,
    warehouse(code),
    ...stock.flatMap(({ sku, quantity }) => [`LIN**VN*${sku}`, `QTY*17*${quantity}*EA`]),
    `CTT*${stock.length}`,
  ]
}

/** 944: goods came in under the number that the delivery note bears. */
export function receipt(
  number: string,
  reference: string,
  lines: readonly Units[],
  at_ms: number,
  code: string,
): string[] {
  const { date, time } = stampOf(at_ms)
  const units = lines.reduce((sum, { quantity }) => sum + quantity, 0)
  return [
    `W17*F*${date}*${number}*${reference}**8*${time}`,
    warehouse(code),
    ...lines.map(({ sku, quantity }) => `W07*${quantity}*EA**VN*${sku}`),
    `W14*${units}`,
  ]
}

/** 947: a unit broke (07) or turned up (51). */
export function adjustment(number: string, lines: readonly Units[], at_ms: number, code: string): string[] {
  const { date, time } = stampOf(at_ms)
  return [
    `W15*${date}*${number}`,
    warehouse(code),
    `G62*11*${date}*8*${time}*UT`,
    ...lines.map(({ sku, quantity }) => `W19*${quantity < 0 ? '07' : '51'}*${quantity}*EA**VN*${sku}`),
  ]
}
