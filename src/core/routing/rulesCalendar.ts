import { WEEKDAYS, type LocationCalendar } from '../model/location.ts'

/** When goods leave a place next, and the date of that at the place itself. */
export interface Departure {
  at_ms: number
  day: string
  /** Days on which the place could not work before it. */
  closed_before: boolean
}

const DAY_MS = 86_400_000
/** A place that has no working day for so long has none. */
const DAYS_AHEAD_MAX = 400

/**
 * The next time goods leave a place: on its first working day whose cut-off is not over yet, at that cut-off. Without a calendar: now. Null
 * where no day of the next 400 is a working day. `timezone` is an IANA name; null: UTC. Days are the place's own, so a day on which
 * its clock is changed counts as one day, whatever its length.
 */
export function nextDeparture(
  now_ms: number,
  calendar: LocationCalendar | undefined,
  timezone: string | null,
): Departure | null {
  const zone = timezone ?? 'UTC'
  const today = dayAt(now_ms, zone)
  if (calendar === undefined) return { at_ms: now_ms, day: today, closed_before: false }
  let closed_before = false
  for (let offset = 0; offset < DAYS_AHEAD_MAX; offset += 1) {
    const day = addDays(today, offset)
    if (!works(calendar, day)) {
      closed_before = true
      continue
    }
    const at_ms = instantAt(day, calendar.cutoff, zone)
    if (at_ms >= now_ms) return { at_ms, day, closed_before }
  }
  return null
}

function works({ days, closed }: LocationCalendar, day: string): boolean {
  const weekday = WEEKDAYS[(new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7]
  return weekday !== undefined && days.includes(weekday) && !closed.some(({ from, to }) => from <= day && day <= to)
}

const addDays = (day: string, days: number): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)

/** The date (2026-12-24) at an instant in a time zone. */
export const dayAt = (at_ms: number, timezone: string): string =>
  new Date(at_ms + offsetMs(at_ms, timezone)).toISOString().slice(0, 10)

/**
 * The instant at which a place's clock shows this. A time that is shown twice (autumn) is the first of the two; one that is skipped
 * (spring) is as long after midnight as if nothing were skipped.
 */
export function instantAt(day: string, time: string, timezone: string): number {
  const wall = Date.parse(`${day}T${time}:00Z`)
  // The zone's offset is the same a day before and a day after, unless its clock is changed in between.
  const offsets = [offsetMs(wall - DAY_MS, timezone), offsetMs(wall + DAY_MS, timezone)]
  const fitting = offsets.map((offset) => wall - offset).filter((at) => at + offsetMs(at, timezone) === wall)
  return fitting.length > 0 ? Math.min(...fitting) : wall - (offsets[0] ?? 0)
}

/** Making a formatter costs more than a thousand uses of it. There are as many as there are time zones. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timezone: string): Intl.DateTimeFormat {
  const known = formats.get(timezone)
  if (known !== undefined) return known
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  formats.set(timezone, format)
  return format
}

/** What a zone's clock shows, less UTC. */
function offsetMs(at_ms: number, timezone: string): number {
  if (timezone === 'UTC') return 0
  const whole = at_ms - (((at_ms % 1000) + 1000) % 1000)
  const parts = new Map(
    formatOf(timezone)
      .formatToParts(whole)
      .map(({ type, value }) => [type, value]),
  )
  const at = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? '00'
  const wall = `${at('year')}-${at('month')}-${at('day')}T${at('hour')}:${at('minute')}:${at('second')}Z`
  return Date.parse(wall) - whole
}

/** A fault of a calendar, with its place inside it. */
interface CalendarFault {
  path: (string | number)[]
  message: string
}

/** Spans that overlap, end before they begin, or name a day that no month has. */
export function calendarFaults({ closed }: LocationCalendar): CalendarFault[] {
  return closed.flatMap(({ from, to }, index): CalendarFault[] => {
    const say = (field: string, message: string): CalendarFault[] => [{ path: ['closed', index, field], message }]
    if (!isDay(from)) return say('from', `there is no day ${from}`)
    if (!isDay(to)) return say('to', `there is no day ${to}`)
    if (to < from) return say('to', `the span ends on ${to}, before it begins on ${from}`)
    const other = closed.findIndex((span, place) => place < index && span.from <= to && from <= span.to)
    return other < 0 ? [] : say('from', `overlaps the span closed[${other}]; give one span for both`)
  })
}

function isDay(day: string): boolean {
  const at = Date.parse(`${day}T00:00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().slice(0, 10) === day
}
