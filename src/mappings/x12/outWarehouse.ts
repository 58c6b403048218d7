import type { FulfillmentRequest, SupplyAnnouncement } from '../../core/model/effects.ts'
import type { Address } from '../../core/model/party.ts'
import { roleOf, type Profile } from './profile.ts'
import type { Segment } from './segments.ts'
import { name, stampOf, words, type OutSet, type Sender } from './write.ts'

/** A document, or why it cannot be written so that the partner would understand it. */
export type Written = { kind: 'set'; set: OutSet } | { kind: 'refuse'; detail: string }

export const refuse = (detail: string): Written => ({ kind: 'refuse', detail })

export const unitOf = (profile: Profile): string => profile.unit ?? 'EA'
export const qualifierOf = (profile: Profile): string => profile.sku_qualifier ?? 'VN'

const NUMBER_MAX = 22
const REFERENCE_MAX = 30
const SKU_MAX = 48
/** Lines of one set; LX01 counts to six digits, and partners' programs give up long before. */
const LINES_MAX = 9_999

const total = (lines: readonly { quantity: number }[]): number => lines.reduce((sum, { quantity }) => sum + quantity, 0)

/**
 * 940 warehouse shipping order. W0501 is N for new work and F for work that is called back. The order number is the name of our work;
 * the buyer's order goes along as W0503 where it fits. A line bears its own name in N9*LI, so that the advice can speak of it.
 */
export function shippingOrder(request: FulfillmentRequest, profile: Sender): Written {
  const number = name(request.fulfillment_order, NUMBER_MAX, profile)
  if (number === undefined) return refuse('the number of the work does not fit into W0502')
  if (request.lines.length > LINES_MAX) return refuse(`it has more than ${LINES_MAX} lines`)
  const lines: Segment[] = []
  for (const [index, line] of request.lines.entries()) {
    const sku = name(line.sku, SKU_MAX, profile)
    if (sku === undefined) return refuse(`the SKU of line ${index + 1} cannot be written in an X12 element`)
    const reference = name(line.line_reference, REFERENCE_MAX, profile)
    const title = words(line.title, 45, profile)
    lines.push(
      ['LX', String(index + 1)],
      ['W01', String(line.quantity), unitOf(profile), '', qualifierOf(profile), sku],
      ...(title === '' ? [] : [['G69', title]]),
      ...(reference === undefined ? [] : [['N9', 'LI', reference]]),
    )
  }
  const method = words(request.shipping_method, 35, profile)
  const segments: Segment[] = [
    ['W05', request.action === 'cancel' ? 'F' : 'N', number, name(request.order_number, NUMBER_MAX, profile) ?? ''],
    ...addressSegments(request.ship_to, profile),
    ['N1', roleOf(profile, 'depositor'), words(profile.us.id, 60, profile)],
    ['N1', roleOf(profile, 'warehouse'), '', '91', words(request.location_code, 80, profile).padEnd(2)],
    ...(method === '' ? [] : [['W66', 'PP', 'ZZ', '', '', method]]),
    ...lines,
    ...(lines.length === 0 ? [] : [['W76', String(total(request.lines))]]),
  ]
  return { kind: 'set', set: { id: '940', segments } }
}

/** Where the goods go. A part that is too long is cut: an address that is read by people survives it. */
function addressSegments(to: Address | null, profile: Profile): Segment[] {
  if (to === null) return []
  const text = (part: string | null, max: number): string => words(part, max, profile)
  const company = text(to.company, 60)
  const person = text(to.name, 60)
  const [lines, more] = [text(to.line1, 110), text(to.line2, 55)]
  const phone = text(to.phone, 80)
  const country = to.country ?? ''
  return [
    ['N1', roleOf(profile, 'ship_to'), company === '' ? (person === '' ? 'SHIP TO' : person) : company],
    ...(company === '' || person === '' ? [] : [['N2', person]]),
    ...(lines === '' ? [] : [['N3', lines.slice(0, 55).trim(), more === '' ? lines.slice(55).trim() : more]]),
    ['N4', city(text(to.city, 30)), region(to.region, profile), postcode(text(to.postcode, 15)), country],
    ...(phone === '' ? [] : [['PER', 'RE', person, 'TE', phone]]),
  ]
}

/** N402 takes codes of two letters; a region with a name stands in none. */
const region = (text: string | null, profile: Profile): string => {
  const code = words(text, 10, profile).replace(/^[A-Z]{2}-/, '')
  return /^[A-Z]{2}$/.test(code) ? code : ''
}
const city = (text: string): string => (text.length === 1 ? `${text}.` : text)
const postcode = (text: string): string => (text.length > 0 && text.length < 3 ? text.padStart(3, '0') : text)

/** 943 stock transfer shipment advice: what is on its way to the warehouse, under our purchase's number, and when it is expected. */
export function transferAdvice(announcement: SupplyAnnouncement, profile: Sender): Written {
  const number = name(announcement.reference, NUMBER_MAX, profile)
  if (number === undefined) return refuse('the number of the purchase does not fit into W0602')
  const lines: Segment[] = []
  for (const [index, line] of announcement.lines.entries()) {
    const sku = name(line.sku, SKU_MAX, profile)
    if (sku === undefined) return refuse(`the SKU of line ${index + 1} cannot be written in an X12 element`)
    const lot = name(line.lot, REFERENCE_MAX, profile)
    lines.push(
      ['W04', String(line.quantity), unitOf(profile), '', qualifierOf(profile), sku],
      ...(lot === undefined ? [] : [['N9', 'LT', lot]]),
    )
  }
  if (lines.length === 0) return refuse('it names no goods')
  const expected = announcement.expected_at === null ? null : stampOf(announcement.expected_at)
  const segments: Segment[] = [
    // F: full detail. What is withdrawn is announced again, with no units on every line.
    ['W06', 'F', number, stampOf(announcement.announced_at).date, number],
    ['N1', roleOf(profile, 'depositor'), words(profile.us.id, 60, profile)],
    ['N1', roleOf(profile, 'warehouse'), '', '91', words(announcement.location_code, 80, profile).padEnd(2)],
    ...(expected === null ? [] : [['G62', '17', expected.date]]),
    ...lines,
    ['W03', String(total(announcement.lines))],
  ]
  return { kind: 'set', set: { id: '943', segments } }
}
