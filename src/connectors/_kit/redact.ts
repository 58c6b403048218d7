/** What stands for a value that may not be kept. */
const HIDDEN = '…'
const DEPTH_MAX = 10
const ENTRIES_MAX = 50
const NODES_MAX = 1_000
const TEXT_MAX = 80

/** Last words of keys whose text is an identifier, a state or an amount. Everything that is not named here is hidden. */
const KEPT_WORDS = new Set(
  (
    'id ids gid uuid sku skus asin upc ean gtin barcode number reference quantity quantities qty count status state code codes currency ' +
    'amount amounts price total subtotal tax fee gross net value type kind event topic operation action field version scope reason ' +
    'cursor page limit offset sort order tracking carrier service mode level location available rate'
  ).split(' '),
)
/** Words that make a key personal or secret, whatever its last word is: `customer_email_id`, `zip_code`, `phone_number`. */
const HIDDEN_WORDS = new Set(
  (
    'name mail email phone mobile fax street city town zip postal postcode post latitude longitude lat lng birth birthday gender age ' +
    'token secret password passwd pass authorization auth bearer signature session cookie credential credentials otp pin cvv cvc card ' +
    'pan iban bic account ssn passport ip note notes message comment comments gift memo description title text'
  ).split(' '),
)
/** Below these keys everything describes a person; only ids and numbers of things stay. */
const PERSONAL_BRANCHES = new Set(
  'address addresses customer customers buyer recipient contact person consignee attendee company destination to'.split(
    ' ',
  ),
)
/** No spaces and no `@`: what an identifier looks like, and what a sentence, a name or an e-mail address does not. */
const TOKEN = /^[\w.:/+=~#|-]*$/
/** An unbroken run this long is a credential more often than an identifier (a UUID has breaks). */
const CREDENTIAL = /[A-Za-z0-9_]{33}/
const KEY = /^[\w.$:/-]{1,64}$/

interface Walk {
  nodes: number
}

/**
 * A copy of a request or an answer that may be stored and shown: its structure, numbers, booleans and the allow-listed texts stay,
 * any other text becomes `…`. An allow-list, because a list of what is personal is never complete. Bounded in depth and size.
 */
export function redact(value: unknown): unknown {
  return copy(value, { key: 'hidden', personal: false, secret: false }, 0, { nodes: 0 })
}

/** The path of a call without anything but plain segments: an e-mail address or a token in it becomes `…`. */
export function redactPath(path: string): string {
  return path
    .replace(/\?.*$/s, '')
    .split('/')
    .map((segment) => (/^[\w.:~$()-]{0,48}$/.test(segment) && !CREDENTIAL.test(segment) ? segment : HIDDEN))
    .join('/')
}

interface Place {
  /** Whether a text here is kept; below `secret` not even a number is. */
  key: 'kept' | 'hidden' | 'secret'
  /** Somewhere below a branch that describes a person, or below a key that is a secret itself. */
  personal: boolean
  secret: boolean
}

function copy(value: unknown, place: Place, depth: number, walk: Walk): unknown {
  walk.nodes += 1
  if (walk.nodes > NODES_MAX || depth > DEPTH_MAX) return HIDDEN
  if (value === null || value === undefined || typeof value === 'boolean') return value ?? null
  if (typeof value === 'number' || typeof value === 'bigint') return place.key === 'secret' ? HIDDEN : Number(value)
  if (typeof value === 'string') return place.key === 'kept' && isPlainToken(value) ? value : HIDDEN
  if (Array.isArray(value)) {
    const entries = value.slice(0, ENTRIES_MAX).map((entry) => copy(entry, place, depth + 1, walk))
    return value.length > ENTRIES_MAX ? [...entries, `… ${value.length - ENTRIES_MAX} more`] : entries
  }
  if (typeof value !== 'object') return HIDDEN
  return copyObject(value, place, depth, walk)
}

function isPlainToken(text: string): boolean {
  return text.length <= TEXT_MAX && TOKEN.test(text) && !CREDENTIAL.test(text)
}

function copyObject(value: object, place: Place, depth: number, walk: Walk): Record<string, unknown> {
  const entries = Object.entries(value)
  const kept = entries.slice(0, ENTRIES_MAX).map(([key, entry]): [string, unknown] => {
    const name = KEY.test(key) ? key : HIDDEN
    return [name, copy(entry, placeOf(key, place), depth + 1, walk)]
  })
  if (entries.length > ENTRIES_MAX) kept.push([HIDDEN, entries.length - ENTRIES_MAX])
  // Built from entries so that a key called __proto__ stays a key.
  return Object.fromEntries(kept)
}

function placeOf(key: string, above: Place): Place {
  const words = wordsOf(key)
  const last = words.at(-1) ?? ''
  const secret = above.secret || words.some((word) => HIDDEN_WORDS.has(word))
  const personal = above.personal || words.some((word) => PERSONAL_BRANCHES.has(word))
  const isId = last === 'id' || last === 'ids' || last === 'gid'
  const kept = !secret && (isId || (!personal && KEPT_WORDS.has(last)))
  return { key: kept ? 'kept' : secret || personal ? 'secret' : 'hidden', personal, secret }
}

/** `shippingAddress`, `shipping_address` and `Shipping-Address` are the same two words. */
function wordsOf(key: string): string[] {
  return key
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
}
