import { HubError } from '../../core/errors.ts'
import { parseDate } from '../amounts.ts'
import type { Delimiters } from './delimiters.ts'
import { USUAL, type Profile } from './profile.ts'
import { segmentsOf } from './segments.ts'
import { el, maybe, readSet, type Node } from './structure.ts'
import { millionths } from './totals.ts'

/** One transaction set on its way through the inbox: its text as it came, and what of its envelope a mapping needs. */
export interface SetPayload {
  set: string
  text: string
  delimiters: Delimiters
  interchange: { control: string; usage: string }
  group: { control: string; date: string; time: string; version: string }
}

export const invalid = (message: string, path: string): HubError =>
  new HubError('payload_invalid', `${path}: ${message}`, { path })

/** `W12 at position 9, element 3`: how an X12 document is pointed into. */
export const placeOf = (node: Node | undefined, element?: number): string => {
  const segment = `${node?.id ?? 'the set'} at position ${node?.position ?? 0}`
  return element === undefined ? segment : `${segment}, element ${element}`
}

/** The structure of a set that was checked when it came in. */
export function rootOf({ set, text, delimiters }: SetPayload): Node {
  const reading = readSet(set, segmentsOf(text, delimiters), 'none')
  if (reading === undefined) throw invalid(`nothing is known of a set ${set}`, 'ST')
  return reading.root
}

/** Units in our base unit: whole, and by the factor agreed for the unit. An unknown unit is a fault: a guess would be wrong by its factor. */
export function unitsOf(
  node: Node,
  { quantity, unit }: { quantity: number; unit: number | null },
  profile: Profile,
): number {
  const text = el(node, quantity)
  const path = placeOf(node, quantity)
  const value = millionths(text === '' ? '0' : text)
  if (value === undefined) throw invalid('is not a number', path)
  const factor = unit === null ? 1 : factorOf(el(node, unit), placeOf(node, unit), profile)
  const units = value * BigInt(factor)
  if (units % 1_000_000n !== 0n) throw invalid('is not a whole number of units', path)
  const whole = Number(units / 1_000_000n)
  if (!Number.isSafeInteger(whole) || Math.abs(whole) > 1_000_000_000)
    throw invalid('is too large a number of units', path)
  return whole
}

function factorOf(unit: string, path: string, profile: Profile): number {
  if (unit === '') return 1
  const known: Readonly<Record<string, number>> = { ...USUAL.units, ...profile.units }
  const factor = Object.hasOwn(known, unit) ? known[unit] : undefined
  if (factor === undefined)
    throw invalid(`nothing is agreed about the unit ${unit.slice(0, 4)} (settings: units)`, path)
  return factor
}

/** Our SKU among the product ids that stand in pairs at these positions, by the qualifiers that are agreed. */
export function skuOf(node: Node, pairs: readonly number[], profile: Profile): string {
  const ids = new Map<string, string>()
  for (const at of pairs) {
    const [qualifier, id] = [el(node, at), el(node, at + 1)]
    if (qualifier !== '' && id !== '' && !ids.has(qualifier)) ids.set(qualifier, id)
  }
  const wanted = profile.sku_qualifiers ?? USUAL.sku_qualifiers
  for (const qualifier of wanted) {
    const sku = ids.get(qualifier)
    if (sku !== undefined) return sku
  }
  throw invalid(`none of the product ids ${wanted.join(', ')} is there`, placeOf(node))
}

/** Element pairs from `first` to the segment's end. */
export const pairsFrom = (node: Node, first: number): number[] =>
  Array.from({ length: Math.max(0, Math.ceil((node.elements.length - first) / 2)) }, (_, index) => first + 2 * index)

/** Time codes (element 623) that mean one thing; the others stand for a daylight saving that nobody keeps apart, and are local. */
const ZONES: Readonly<Record<string, string>> = { UT: 'UTC', GM: 'UTC', Z: 'UTC' }

/** An instant of a date (CCYYMMDD) and a time (HHMM, HHMMSS, HHMMSSDD) in the partner's zone. */
export function instantOf(date: string, time: string, path: string, zone: { code?: string; profile: Profile }): string {
  const [, hour = '00', minute = '00', second = '00', fraction = ''] =
    /^(\d\d)(\d\d)(\d\d)?(\d{1,2})?$/.exec(time) ?? []
  const written = zone.profile.timezone ?? 'UTC'
  return parseDate(
    `${date} ${hour}:${minute}:${second}.${fraction === '' ? '0' : fraction} ${ZONES[zone.code ?? ''] ?? ''}`.trim(),
    {
      order: 'iso',
      zone: written,
      path,
    },
  )
}

/** When the group was made: the best that is known of a document that names a day only. */
export const groupInstant = ({ group }: SetPayload, profile: Profile): string =>
  instantOf(group.date.length === 6 ? `20${group.date}` : group.date, group.time, 'GS04', { profile })

export interface Shown {
  date: string | null
  time: string | null
  zone?: string | null
  path: string
  /** Which end of a day stands for it that is not the message's own; default its end. */
  otherwise?: 'start' | 'end'
}

/**
 * The instant of something of which perhaps only the day is known. On the day that the message was made it is the message's time. An
 * earlier day's movement is taken for its end: too late an instant leaves units out until the next count, too early a one would bring
 * them back.
 */
export function dayInstant(
  payload: SetPayload,
  { date, time, zone, path, otherwise }: Shown,
  profile: Profile,
): string {
  const made = groupInstant(payload, profile)
  if (date === null) return made
  const where = { profile, ...(zone === undefined || zone === null ? {} : { code: zone }) }
  if (time !== null) return instantOf(date, time, path, where)
  const [first, last] = [instantOf(date, '0000', path, where), instantOf(date, '23595999', path, where)]
  if (made >= first && made <= last) return made
  return otherwise === 'start' ? first : last
}

export const textOf = (node: Node | undefined, position: number, length: number): string | null =>
  maybe(node, position)?.slice(0, length) ?? null
