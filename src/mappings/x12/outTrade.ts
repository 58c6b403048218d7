import type { InvoiceRequest, OrderAnswer, ShipmentNotice } from '../../core/model/effects.ts'
import { currencyExponent, decimalFromMinor } from '../../core/model/money.ts'
import { qualifierOf, refuse, unitOf, type Written } from './outWarehouse.ts'
import { roleOf, type Profile } from './profile.ts'
import type { Segment } from './segments.ts'
import { name, stampOf, words, type Sender } from './write.ts'

const NUMBER_MAX = 22
const SKU_MAX = 48
const LINE_MAX = 20

/** Line numbers are the buyer's own; one that is too long to stand in an element is left out, and the SKU speaks for the line. */
const lineId = (id: string, profile: Profile): string => name(id, LINE_MAX, profile) ?? ''

// ── 855 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** BAK02: accepted as it is, accepted with changes, refused; each with the lines. */
const VERDICTS = { accepted: 'AD', changed: 'AC', rejected: 'RD' } as const

/** 855 purchase order acknowledgement: of every line what is sent, what follows and what does not come. A later answer replaces. */
export function orderAcknowledgement(answer: OrderAnswer, profile: Sender): Written {
  const number = name(answer.order_external_id, NUMBER_MAX, profile)
  if (number === undefined) return refuse("the buyer's order number does not fit into BAK03")
  const lines: Segment[] = []
  for (const line of answer.lines) {
    const sku = name(line.channel_sku, SKU_MAX, profile)
    if (sku === undefined) return refuse('the SKU of a line cannot be written in an X12 element')
    const price = decimalFromMinor(line.unit_price_minor, answer.currency)
    const id = lineId(line.line_external_id, profile)
    lines.push(
      ['PO1', id, String(line.ordered), unitOf(profile), price, '', qualifierOf(profile), sku],
      ...lineAnswers(line, profile),
    )
  }
  const segments: Segment[] = [
    ['BAK', answer.revision > 1 ? '05' : '00', VERDICTS[answer.verdict], number, stampOf(answer.placed_at).date, '', '', '', '', stampOf(answer.answered_at).date],
    ['CUR', roleOf(profile, 'seller'), answer.currency],
    ...lines,
    ['CTT', String(answer.lines.length)],
  ] // prettier-ignore
  return { kind: 'set', set: { id: '855', segments } }
}

/** ACK01: IA accepted, IB follows (068 with the day it is expected), IR does not come. */
function lineAnswers(line: OrderAnswer['lines'][number], profile: Profile): Segment[] {
  const rejected = Math.max(0, line.ordered - line.accepted - line.backordered)
  const expected = line.expected_at === null ? [] : ['068', stampOf(line.expected_at).date]
  const acks: Segment[] = []
  if (line.accepted > 0) acks.push(['ACK', 'IA', String(line.accepted), unitOf(profile)])
  if (line.backordered > 0) acks.push(['ACK', 'IB', String(line.backordered), unitOf(profile), ...expected])
  if (rejected > 0 || acks.length === 0) acks.push(['ACK', 'IR', String(rejected), unitOf(profile)])
  return acks
}

// ── 856 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** BSN05: the levels that follow each other. */
const WITH_PACK = '0001'
const WITHOUT_PACK = '0004'

/** 856 ship notice: shipment, order, the pack where packs have numbers, and its items. HL02 names the level above. */
export function shipNotice(notice: ShipmentNotice, sscc: string | null, profile: Sender): Written {
  const number = name(notice.order_external_id, NUMBER_MAX, profile)
  if (number === undefined) return refuse("the buyer's order number does not fit into PRF01")
  const { date, time } = stampOf(notice.shipped_at)
  const tracking = [notice.tracking_number, ...notice.more_tracking_numbers].flatMap(
    (text) => name(text, 48, profile) ?? [],
  )
  const carrier = words(notice.carrier, 35, profile)
  const packed = sscc !== null
  const head: Segment[] = [
    ['HL', '1', '', 'S'],
    ...(carrier === '' ? [] : [['TD5', '', '', '', 'M', carrier]]),
    ...tracking.map((text) => ['REF', 'CN', text]),
    ['DTM', '011', date, time.slice(0, 4), 'UT'],
    ['HL', '2', '1', 'O'],
    ['PRF', number],
    ...(packed ? [['HL', '3', '2', 'P'], ['MAN', 'GM', sscc], ...tracking.slice(0, 1).map((text) => ['MAN', 'CP', text])] : []),
  ] // prettier-ignore
  const first = packed ? 4 : 3
  const items: Segment[] = []
  for (const [index, line] of notice.lines.entries()) {
    const sku = name(line.channel_sku, SKU_MAX, profile)
    if (sku === undefined) return refuse('the SKU of a line cannot be written in an X12 element')
    items.push(
      ['HL', String(first + index), String(first - 1), 'I'],
      ['LIN', lineId(line.line_external_id, profile), qualifierOf(profile), sku],
      ['SN1', '', String(line.quantity), unitOf(profile)],
    )
  }
  const levels = first - 1 + notice.lines.length
  const segments: Segment[] = [
    ['BSN', '00', shipmentNumber(notice.shipment_id), date, time, packed ? WITH_PACK : WITHOUT_PACK],
    ...head,
    ...items,
    ['CTT', String(levels)],
  ]
  return { kind: 'set', set: { id: '856', segments } }
}

/** BSN02 takes thirty characters; the last 24 digits of a UUID hold all of its chance. */
const shipmentNumber = (id: string): string => `S${id.replaceAll('-', '').slice(-24).toUpperCase()}`

const SSCC_DIGITS = 17

/** Serial shipping container code (GS1): extension digit, company prefix, serial number, check digit (modulo 10, weights 3 and 1). */
export function ssccOf(prefix: string, serial: number): string {
  const length = SSCC_DIGITS - 1 - prefix.length
  const digits = `0${prefix}${String(serial % 10 ** length).padStart(length, '0')}`
  const sum = digits.split('').reduce((all, digit, index) => all + Number(digit) * (index % 2 === 0 ? 3 : 1), 0)
  return `${digits}${(10 - (sum % 10)) % 10}`
}

// ── 810 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const DECIMALS = 2
/** SAC02: freight, and discount. */
const FREIGHT = 'D240'
const DISCOUNT = 'C310'

/** 810 invoice. Amounts with two implied decimals (N2), exactly: what its parts do not come to is not sent. */
export function invoice(request: InvoiceRequest, profile: Sender): Written {
  const number = name(request.number, NUMBER_MAX, profile)
  const order = name(request.order_external_id, NUMBER_MAX, profile)
  if (number === undefined || order === undefined)
    return refuse('the number of the invoice or of the order does not fit into BIG')
  const exponent = currencyExponent(request.currency)
  if (exponent > DECIMALS) return refuse(`amounts in ${request.currency} have more decimals than an 810 can show`)
  const n2 = (minor: number): string => String(minor * 10 ** (DECIMALS - exponent))
  const lines: Segment[] = []
  for (const line of request.lines) {
    const sku = name(line.channel_sku, SKU_MAX, profile)
    if (sku === undefined) return refuse('the SKU of a line cannot be written in an X12 element')
    const title = words(line.title, 80, profile)
    const price = decimalFromMinor(line.unit_price_minor, request.currency)
    lines.push(
      [
        'IT1',
        lineId(line.line_external_id, profile),
        String(line.quantity),
        unitOf(profile),
        price,
        '',
        qualifierOf(profile),
        sku,
      ],
      ...(title === '' ? [] : [['PID', 'F', '', '', '', title]]),
    )
  }
  const goods = request.lines.reduce((sum, { amount_minor }) => sum + amount_minor, 0)
  const priced = request.lines.reduce((sum, { quantity, unit_price_minor }) => sum + quantity * unit_price_minor, 0)
  const discount = priced - goods
  if (goods + request.shipping_minor + request.tax_minor !== request.total_minor || discount < 0)
    return refuse('its parts do not come to its total')
  const terms = profile.payment_terms_days
  const segments: Segment[] = [
    ['BIG', stampOf(request.invoiced_at).date, number, stampOf(request.order_placed_at).date, order, '', '', 'DI'],
    ['CUR', roleOf(profile, 'seller'), request.currency],
    ...(terms === undefined ? [] : [['ITD', '01', '3', '', '', '', '', String(terms)]]),
    ...lines,
    ['TDS', n2(request.total_minor)],
    ...(request.tax_minor === 0 ? [] : [['TXI', 'TX', decimalFromMinor(request.tax_minor, request.currency)]]),
    ...(discount === 0 ? [] : [['SAC', 'A', DISCOUNT, '', '', n2(discount)]]),
    ...(request.shipping_minor === 0 ? [] : [['SAC', 'C', FREIGHT, '', '', n2(request.shipping_minor)]]),
    ['CTT', String(request.lines.length)],
  ]
  return { kind: 'set', set: { id: '810', segments } }
}
