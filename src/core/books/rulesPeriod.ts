import { HubError } from '../errors.ts'

const PERIOD = /^\d{4}-(0[1-9]|1[0-2])$/

/** `2026-11` of `2026-11-21`. */
export const periodOf = (date: string): string => date.slice(0, 7)

/** A month as text. Fault: `bad_request`. */
export function readPeriod(text: string): string {
  if (PERIOD.test(text)) return text
  throw new HubError('bad_request', 'a period is a month', { path: 'period', hint: 'write it like 2026-11' })
}

export function nextPeriod(period: string): string {
  const [year = 0, month = 0] = period.split('-').map((part) => Number.parseInt(part, 10))
  const [nextYear, nextMonth] = month === 12 ? [year + 1, 1] : [year, month + 1]
  return `${String(nextYear).padStart(4, '0')}-${String(nextMonth).padStart(2, '0')}`
}

/** The day on which something of `due_on` is booked: that day, or the first of the next open period where its own is locked. */
export function bookedOn(due_on: string, locked: ReadonlySet<string>): string {
  let period = periodOf(due_on)
  if (!locked.has(period)) return due_on
  while (locked.has(period)) period = nextPeriod(period)
  return `${period}-01`
}
