import { HubError } from '../core/errors.ts'
import { currencyExponent, minorFromDecimal } from '../core/model/money.ts'

/**
 * Amounts and dates as people and banks write them, read exactly. What could mean two things is a fault and never a guess, because a
 * wrong guess is wrong by a factor of a thousand.
 */

export interface AmountOptions {
  /** Which character divides whole from fraction. `auto`: found out from the text, where the text allows only one reading. */
  decimal: '.' | ',' | 'auto'
  /** Where the text stands, for the fault: `row 14, column amount`. */
  path?: string
}

type Mark = '.' | ','

/** Blanks (also the narrow and unbreakable ones) and apostrophes group digits in several countries and never divide them. */
const GROUPING_BLANKS = /(?<=\d)[\s\u00a0\u2009\u202f'’](?=\d{3}(?!\d))/g
const MINUS = /[\u2212\u2012\u2013]/g
const SIGNS = /^([+-]?)(\()?([^()+-]*)(\))?([+-]?)$/
const SYMBOL = /^(?:[$€£¥]|kr|zł)?\s*([\d.,'’\s\u00a0\u2009\u202f]+?)\s*(?:[$€£¥]|kr|zł)?$/u
/** Groups of three; India writes groups of two before the last one. */
const GROUPED: Readonly<Record<Mark, RegExp>> = {
  ',': /^\d{1,3}(,\d{2,3})*,\d{3}$/,
  '.': /^\d{1,3}(\.\d{2,3})*\.\d{3}$/,
}

/**
 * Integer minor units of `currency` from a text such as `1,234.50`, `1.234,50`, `(12.00)`, `12,00-`, `-€ 5`, `1 234,5`. An empty text
 * is a fault, and so are digits beyond the currency's exponent, separators at odd places, and with `auto` a text such as `1.234`
 * that reads both ways. Never passes through a float.
 */
export function parseAmount(text: string, currency: string, options: AmountOptions): number {
  const path = options.path ?? '$'
  const { sign, digits } = takeSign(text, currency, path)
  const decimal = options.decimal === 'auto' ? findDecimal(digits, currency, path) : options.decimal
  const grouping: Mark = decimal === '.' ? ',' : '.'
  const at = digits.lastIndexOf(decimal)
  const whole = at < 0 ? digits : digits.slice(0, at)
  const fraction = at < 0 ? '' : digits.slice(at + 1)
  if (fraction.includes(grouping) || whole.includes(decimal)) throw unreadable(text, path)
  if (whole.includes(grouping) && !GROUPED[grouping].test(whole)) throw unreadable(text, path)
  const plain = whole.replaceAll(grouping, '')
  if (plain === '' && fraction === '') throw unreadable(text, path)
  return minorFromDecimal(`${sign}${plain || '0'}${fraction === '' ? '' : `.${fraction}`}`, currency, path)
}

function takeSign(text: string, currency: string, path: string): { sign: '' | '-'; digits: string } {
  const bare = text.replace(MINUS, '-').replace(currency, '').trim()
  // A sign may stand before or behind a currency symbol; the symbol itself says nothing.
  const moved = bare.replace(/^([$€£¥])\s*([+-])/u, '$2$1')
  const parts = SIGNS.exec(moved)
  const symbol = parts === null ? null : SYMBOL.exec((parts[3] ?? '').trim())
  const digits = symbol?.[1]
  if (parts === null || digits === undefined) throw unreadable(text, path)
  const [, before = '', open, , close, after = ''] = parts
  const marks = [before, after, open === undefined ? '' : '('].filter((mark) => mark !== '')
  if ((open === undefined) !== (close === undefined) || marks.length > 1) throw unreadable(text, path)
  const clean = digits.replace(GROUPING_BLANKS, '')
  if (!/^[\d.,]+$/.test(clean)) throw unreadable(text, path)
  return { sign: marks[0] === '-' || marks[0] === '(' ? '-' : '', digits: clean }
}

/** The decimal mark of a text that allows one reading only. */
function findDecimal(digits: string, currency: string, path: string): Mark {
  const dot = digits.lastIndexOf('.')
  const comma = digits.lastIndexOf(',')
  if (dot >= 0 && comma >= 0) return dot > comma ? '.' : ','
  if (dot < 0 && comma < 0) return '.'
  const mark: Mark = dot >= 0 ? '.' : ','
  const other: Mark = mark === '.' ? ',' : '.'
  if (digits.split(mark).length > 2) return other
  const [whole = '', fraction = ''] = digits.split(mark)
  const mayGroup = fraction.length === 3 && /^[1-9]\d{0,2}$/.test(whole)
  if (!mayGroup) return mark
  if (currencyExponent(currency) === 0) return other
  throw new HubError('payload_invalid', `"${digits.slice(0, 40)}" can be thousands or decimals`, {
    path,
    hint: 'say in the settings which character is the decimal mark',
  })
}

const unreadable = (text: string, path: string): HubError =>
  new HubError('payload_invalid', `"${text.trim().slice(0, 40)}" is not an amount`, { path })

/**
 * The decimal mark that a text shows beyond doubt, or null: for files that use one mark throughout and begin with a total.
 * `25,84` → `,`; `1.234` → null.
 */
export function shownDecimal(text: string): Mark | null {
  const dots = text.split('.').length - 1
  const commas = text.split(',').length - 1
  if (dots > 0 && commas > 0) return text.lastIndexOf('.') > text.lastIndexOf(',') ? '.' : ','
  if (dots + commas !== 1) return null
  const mark: Mark = dots === 1 ? '.' : ','
  return /\d[.,]\d{3}(?!\d)/.test(text) ? null : mark
}

export interface DateOptions {
  /** Order of day and month where the year does not come first. `iso`: only year-first texts are read. */
  order: 'iso' | 'dmy' | 'mdy'
  /** Zone of a text that names none: `UTC`, `+02:00`, `CEST`, or an IANA name such as `Europe/Berlin`. Default UTC. */
  zone?: string
  path?: string
}

const YEAR_FIRST = /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(.*))?$/
const COMPACT = /^(\d{4})(\d{2})(\d{2})(?:[T ]+(.*))?$/
const DAY_MONTH = /^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})(?:,?[T ]+(.*))?$/
const TIME = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?\s*(.*)$/
const OFFSET = /^(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})?$/

/** Hours from UTC of the abbreviations that settlement files use (they are ambiguous in general; these are what the vendors mean). */
const ZONE_MINUTES: Readonly<Record<string, number>> = {
  Z: 0, UTC: 0, GMT: 0, WET: 0, WEST: 60, BST: 60, CET: 60, CEST: 120, EET: 120, EEST: 180, MSK: 180,
  PST: -480, PDT: -420, MST: -420, MDT: -360, CST: -360, CDT: -300, EST: -300, EDT: -240, BRT: -180,
  JST: 540, AEST: 600, AEDT: 660, SGT: 480, HKT: 480, IST: 330,
} // prettier-ignore

/**
 * An instant (ISO 8601, UTC) from a date or a date with a time as files write it: `2026-09-03`, `2026-09-03 10:15:22 UTC`,
 * `2026/09/03 10:15:22 -0700`, `20260903`, `03.09.2026 10:15`, `09/03/26`, `9/3/2026 1:05 PM`. A date without a time is its midnight
 * in `zone`. Years of two digits are of this century. A day that does not exist is a fault.
 */
export function parseDate(text: string, options: DateOptions): string {
  const path = options.path ?? '$'
  const bare = text.trim()
  const day = dayOf(bare, options.order)
  if (day === undefined) throw new HubError('payload_invalid', `"${bare.slice(0, 40)}" is not a date`, { path })
  const time = timeOf(day.rest)
  const local = Date.UTC(day.year, day.month - 1, day.day, time?.hour ?? -1, time?.minute, time?.second, time?.ms)
  const isReal =
    day.month >= 1 &&
    day.month <= 12 &&
    day.day >= 1 &&
    new Date(Date.UTC(day.year, day.month - 1, day.day)).getUTCDate() === day.day
  if (time === undefined || !isReal) {
    throw new HubError('payload_invalid', `"${bare.slice(0, 40)}" is not a date`, { path })
  }
  const offset = offsetMinutes(time.zone === '' ? (options.zone ?? 'UTC') : time.zone, local)
  if (offset === undefined) {
    throw new HubError('payload_invalid', `"${(time.zone || options.zone || '').slice(0, 40)}" is not a time zone`, {
      path,
    })
  }
  return new Date(local - offset * 60_000).toISOString()
}

interface Day {
  year: number
  month: number
  day: number
  rest: string
}

function dayOf(text: string, order: DateOptions['order']): Day | undefined {
  const yearFirst = YEAR_FIRST.exec(text) ?? COMPACT.exec(text)
  if (yearFirst !== null) {
    const [, year, month, day, rest] = yearFirst
    return { year: Number(year), month: Number(month), day: Number(day), rest: rest ?? '' }
  }
  const parts = order === 'iso' ? null : DAY_MONTH.exec(text)
  if (parts === null) return undefined
  const [, first, second, year = '', rest] = parts
  const [day, month] = order === 'dmy' ? [first, second] : [second, first]
  return {
    year: year.length === 2 ? 2000 + Number(year) : Number(year),
    month: Number(month),
    day: Number(day),
    rest: rest ?? '',
  }
}

interface Time {
  hour: number
  minute: number
  second: number
  ms: number
  zone: string
}

function timeOf(text: string): Time | undefined {
  const bare = text.trim()
  // A date may be followed by its zone alone.
  if (bare === '' || !/^\d/.test(bare)) return { hour: 0, minute: 0, second: 0, ms: 0, zone: bare }
  const parts = TIME.exec(bare)
  if (parts === null) return undefined
  const [, hour, minute, second = '0', fraction = '', half = '', zone = ''] = parts
  const isNoonBased = half !== ''
  const hours = isNoonBased ? (Number(hour) % 12) + (half.toLowerCase() === 'pm' ? 12 : 0) : Number(hour)
  if (hours > 23 || Number(minute) > 59 || Number(second) > 60 || (isNoonBased && Number(hour) > 12)) return undefined
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3))
  return { hour: hours, minute: Number(minute), second: Math.min(Number(second), 59), ms, zone: zone.trim() }
}

/** Minutes east of UTC at a local time, or undefined for a zone nobody knows. */
function offsetMinutes(zone: string, local_ms: number): number | undefined {
  const known = ZONE_MINUTES[zone.toUpperCase()]
  if (known !== undefined) return known
  const parts = OFFSET.exec(zone)
  if (parts !== null) {
    const [, sign, hours, minutes = '0'] = parts
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
  }
  const format = zoneFormat(zone)
  if (format === undefined) return undefined
  // Asked twice, because the offset at the local time read as UTC may lie on the other side of a clock change.
  const first = shownOffset(format, local_ms)
  return shownOffset(format, local_ms - first * 60_000)
}

const FORMATS = new Map<string, Intl.DateTimeFormat | undefined>()

function zoneFormat(zone: string): Intl.DateTimeFormat | undefined {
  if (!FORMATS.has(zone)) FORMATS.set(zone, makeZoneFormat(zone))
  return FORMATS.get(zone)
}

function makeZoneFormat(zone: string): Intl.DateTimeFormat | undefined {
  if (!/^[A-Za-z]+\/[A-Za-z0-9_+/-]+$/.test(zone)) return undefined
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
  } catch {
    return undefined
  }
}

function shownOffset(format: Intl.DateTimeFormat, at_ms: number): number {
  const name = format.formatToParts(at_ms).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT'
  const [, sign, hours = '0', minutes = '0'] = /([+-])(\d{2}):?(\d{2})?/.exec(name) ?? []
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
}
