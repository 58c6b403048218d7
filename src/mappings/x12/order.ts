import { HubError } from '../../core/errors.ts'
import { currencyExponent } from '../../core/model/money.ts'
import type { Order } from '../../core/model/order.ts'
import type { Address } from '../../core/model/party.ts'
import { defineMapping, type MappingContext } from '../define.ts'
import { SetRow } from './payload.ts'
import { profileOf, roleOf, type Profile } from './profile.ts'
import { all, el, maybe, one, type Node } from './structure.ts'
import { dayInstant, groupInstant, instantOf, invalid, pairsFrom, placeOf, rootOf, skuOf, textOf, unitsOf, type SetPayload } from './values.ts' // prettier-ignore

type Line = Order['lines'][number]

/** BEG01 and BCH01: original, replacement, confirmation and duplicate show the whole order; cancellation ends it. */
const WHOLE = new Set(['00', '05', '06', '07', '22'])
const CANCEL = new Set(['01', '03'])

/** 850 purchase order: the buyer's whole order as of the day of the message. */
export const order = defineMapping({
  from: SetRow,
  map: (payload, context) => {
    const root = rootOf(payload)
    const beg = one(root, 'BEG')
    return documentOf(
      payload,
      root,
      { head: beg, lines: all(root, 'PO1').map(orderedAt), placed: maybe(beg, 5) },
      context,
    )
  },
})

/**
 * 860 purchase order change. A replacement that names every line is a new picture of the order; a cancellation ends it. Single changes
 * lean on an order that the mapping does not see, so they are kept for a person.
 */
export const orderChange = defineMapping({
  from: SetRow,
  map: (payload, context) => {
    const root = rootOf(payload)
    const bch = one(root, 'BCH')
    const changes = all(root, 'POC')
    const isWhole = changes.every((node) => el(node, 2) === 'RZ' || el(node, 2) === 'NC')
    if (!CANCEL.has(el(bch, 1)) && !(el(bch, 1) === '05' && isWhole)) {
      throw new HubError('unsupported', 'single changes to an order are not applied by themselves', {
        path: placeOf(bch, 1),
        hint: 'ask the partner for a replacement (860 with purpose 05, or 850 with purpose 05), or change the order by hand',
      })
    }
    return documentOf(payload, root, { head: bch, lines: changes.map(changedAt), placed: maybe(bch, 6) }, context)
  },
})

/** Where the elements of a line stand: PO1 and POC count differently. */
interface LineAt {
  node: Node
  line: number
  quantity: number
  unit: number
  price: number
  products: number
}
const orderedAt = (node: Node): LineAt => ({ node, line: 1, quantity: 2, unit: 3, price: 4, products: 6 })
const changedAt = (node: Node): LineAt => ({ node, line: 1, quantity: 3, unit: 5, price: 6, products: 8 })

interface Shown {
  head: Node | undefined
  lines: readonly LineAt[]
  placed: string | null
}

function documentOf(payload: SetPayload, root: Node, { head, lines: shown, placed }: Shown, context: MappingContext) {
  const profile = profileOf(context.settings)
  const external_id = el(head, 3)
  const made = groupInstant(payload, profile)
  const version = { updated_at: made, observed_at: context.observed_at }
  const purpose = el(head, 1)
  if (CANCEL.has(purpose)) return [{ kind: 'cancellation' as const, document: { external_id, version, reason: null } }]
  if (!WHOLE.has(purpose)) throw invalid('is a purpose that nothing is known of', placeOf(head, 1))
  const currency = maybe(one(root, 'CUR'), 2) ?? profile.currency
  if (currency === undefined)
    throw invalid('names no currency, and the connection has none (settings: currency)', 'CUR')
  const lines = shown.map((at, index) => lineOf(at, index, { profile, currency, context }))
  if (new Set(lines.map((line) => line.external_id)).size < lines.length) throw invalid('names one line twice', 'PO101')
  const total_minor = lines.reduce((sum, line) => sum + line.total_minor, 0)
  const party = partyOf(root, 'buyer', profile)
  const document: Order = {
    external_id,
    number: external_id,
    version,
    placed_at: dayInstant(payload, { date: placed, time: null, path: placeOf(head, 5), otherwise: 'start' }, profile),
    currency,
    lifecycle: 'open',
    cancelled_at: null,
    // Goods on account: whoever may order, may have them before they are paid. The connection's orders.unpaid has no say in it.
    payment_state: 'authorized',
    taxes_included: false,
    test: payload.interchange.usage === 'T',
    buyer: party === null ? null : { external_id: party.id, name: party.name, email: null, phone: null },
    ship_to: addressOf(root, 'ship_to', profile),
    bill_to: addressOf(root, 'bill_to', profile),
    shipping_method: methodOf(root),
    ship_by: shipBy(root, profile),
    lines,
    totals: {
      subtotal_minor: total_minor,
      discount_minor: 0,
      shipping_minor: 0,
      tax_minor: 0,
      total_minor,
      refunded_minor: 0,
    },
    payment_ids: [],
    refunds: [],
  }
  return [{ kind: 'order' as const, document }]
}

interface LineContext {
  profile: Profile
  currency: string
  context: MappingContext
}

function lineOf({ node, ...at }: LineAt, index: number, { profile, currency, context }: LineContext): Line {
  const quantity = unitsOf(node, { quantity: at.quantity, unit: at.unit }, profile)
  const ordered = unitsOf(node, { quantity: at.quantity, unit: null }, {})
  if (quantity < 0) throw invalid('is less than nothing', placeOf(node, at.quantity))
  // The price is for one of its units (a case), ours for one of ours (a piece).
  const price = priceOf(maybe(node, at.price), placeOf(node, at.price))
  const total_minor = minorOf(price * BigInt(ordered), currency)
  // Rounded up, so that what it is too much for the line is its discount and the line's total stays exact.
  const unit_price_minor = quantity === 0 ? minorOf(price, currency) : Math.ceil(total_minor / quantity)
  const discount_minor = unit_price_minor * quantity - total_minor
  if (discount_minor > 0)
    context.warn(`${placeOf(node)}: a unit's price is no whole number of minor units; the line's total is exact`)
  const title =
    all(node, 'PID')
      .map((pid) => textOf(pid, 5, 500))
      .find((text) => text !== null) ?? null
  return {
    external_id: maybe(node, at.line) ?? String(index + 1),
    channel_sku: skuOf(node, pairsFrom(node, at.products), profile),
    title,
    quantity,
    unit_price_minor,
    discount_minor: quantity === 0 ? 0 : discount_minor,
    tax_minor: 0,
    total_minor,
    requires_shipping: true,
  }
}

/** Decimals of a unit price in an interchange: more than any currency has. */
const PRICE_SCALE = 6

function priceOf(text: string | null, path: string): bigint {
  if (text === null) return 0n
  const [, whole, fraction = ''] = /^(\d{0,12})(?:\.(\d{0,6})0*)?$/.exec(text) ?? []
  if (whole === undefined || (whole === '' && fraction === ''))
    throw invalid('is no price of at most six decimals', path)
  return BigInt(`${whole}${fraction.padEnd(PRICE_SCALE, '0')}`)
}

/** Rounded half up, once for a whole line. */
function minorOf(millionths: bigint, currency: string): number {
  const divisor = 10n ** BigInt(PRICE_SCALE - currencyExponent(currency))
  const minor = (millionths + divisor / 2n) / divisor
  const value = Number(minor)
  if (!Number.isSafeInteger(value)) throw invalid('is too large an amount', 'PO104')
  return value
}

type Role = Parameters<typeof roleOf>[1]

const partyNode = (root: Node, role: Role, profile: Profile): Node | undefined =>
  all(root, 'N1').find((node) => el(node, 1) === roleOf(profile, role))

function partyOf(root: Node, role: Role, profile: Profile): { id: string | null; name: string | null } | null {
  const node = partyNode(root, role, profile)
  return node === undefined ? null : { id: textOf(node, 4, 200), name: textOf(node, 2, 200) }
}

function addressOf(root: Node, role: Role, profile: Profile): Address | null {
  const node = partyNode(root, role, profile)
  if (node === undefined) return null
  const [n2, n3, n4] = [one(node, 'N2'), one(node, 'N3'), one(node, 'N4')]
  const country = maybe(n4, 4) ?? profile.country ?? 'US'
  return {
    name: textOf(n2, 1, 200),
    company: textOf(node, 2, 200),
    line1: textOf(n3, 1, 300),
    line2: textOf(n3, 2, 300),
    city: textOf(n4, 1, 200),
    region: textOf(n4, 2, 200),
    postcode: textOf(n4, 3, 40),
    country: /^[A-Z]{2}$/.test(country) ? country : null,
    phone: phoneOf(all(node, 'PER')[0] ?? all(root, 'PER')[0]),
  }
}

function phoneOf(per: Node | undefined): string | null {
  for (const at of [3, 5]) if (el(per, at) === 'TE') return textOf(per, at + 1, 60)
  return null
}

function methodOf(root: Node): string | null {
  const td5 = all(root, 'TD5')[0]
  return textOf(td5, 5, 200) ?? textOf(td5, 3, 200)
}

/** DTM 010 (ship), 037 (not before) says nothing of a promise, 038 (not later than) does; 002 is the day of delivery. */
function shipBy(root: Node, profile: Profile): string | null {
  for (const qualifier of ['038', '010', '002']) {
    const dtm = all(root, 'DTM').find((node) => el(node, 1) === qualifier && maybe(node, 2) !== null)
    if (dtm !== undefined) return instantOf(el(dtm, 2), maybe(dtm, 3) ?? '235959', placeOf(dtm, 2), { profile })
  }
  return null
}
