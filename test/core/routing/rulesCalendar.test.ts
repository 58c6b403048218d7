import { describe, expect, test } from 'vitest'
import type { LocationCalendar } from '../../../src/core/model/location.ts'
import { calendarFaults, dayAt, instantAt, nextDeparture } from '../../../src/core/routing/rulesCalendar.ts'

const calendar = (change: Partial<LocationCalendar> = {}): LocationCalendar => ({
  days: ['mon', 'tue', 'wed', 'thu', 'fri'],
  cutoff: '14:00',
  closed: [],
  ...change,
})
const at = (iso: string): number => Date.parse(iso)
const leaves = (now: string, zone: string | null, change: Partial<LocationCalendar> = {}): string | null => {
  const departure = nextDeparture(at(now), calendar(change), zone)
  return departure === null ? null : `${departure.day} ${new Date(departure.at_ms).toISOString()}`
}

describe('nextDeparture', () => {
  test('leaves today up to the cut-off of the place itself, after it on the next working day', () => {
    // A Monday; Berlin is an hour ahead of UTC.
    expect(leaves('2026-03-02T13:00:00Z', 'Europe/Berlin')).toBe('2026-03-02 2026-03-02T13:00:00.000Z')
    expect(leaves('2026-03-02T13:00:01Z', 'Europe/Berlin')).toBe('2026-03-03 2026-03-03T13:00:00.000Z')
    expect(leaves('2026-03-02T13:30:00Z', null)).toBe('2026-03-02 2026-03-02T14:00:00.000Z')
    // It is Tuesday already in Auckland, and still Sunday in Honolulu.
    expect(leaves('2026-03-02T11:30:00Z', 'Pacific/Auckland')).toBe('2026-03-03 2026-03-03T01:00:00.000Z')
    expect(leaves('2026-03-02T08:00:00Z', 'Pacific/Honolulu')).toBe('2026-03-02 2026-03-03T00:00:00.000Z')
  })

  test('passes over weekends and closed spans', () => {
    expect(leaves('2026-03-06T15:00:00Z', 'UTC')).toBe('2026-03-09 2026-03-09T14:00:00.000Z')
    const closed = [{ from: '2026-12-24', to: '2027-01-01' }]
    expect(leaves('2026-12-23T16:00:00Z', 'UTC', { closed })).toBe('2027-01-04 2027-01-04T14:00:00.000Z')
    expect(nextDeparture(at('2026-12-23T16:00:00Z'), calendar({ closed }), 'UTC')?.closed_before).toBe(true)
    expect(nextDeparture(at('2026-03-02T15:00:00Z'), calendar(), 'UTC')?.closed_before).toBe(false)
    expect(leaves('2026-03-02T10:00:00Z', 'UTC', { closed: [{ from: '2026-01-01', to: '2028-12-31' }] })).toBeNull()
  })

  test('keeps the wall clock on the days on which it is changed', () => {
    const always = {
      days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as LocationCalendar['days'],
      cutoff: '12:00',
    }
    expect(leaves('2026-03-28T12:00:00Z', 'Europe/Berlin', always)).toBe('2026-03-29 2026-03-29T10:00:00.000Z')
    expect(leaves('2026-10-24T12:00:00Z', 'Europe/Berlin', always)).toBe('2026-10-25 2026-10-25T11:00:00.000Z')
    // Just after midnight before the long day: the day has 25 hours and is one day.
    expect(leaves('2026-10-24T22:30:00Z', 'Europe/Berlin', always)).toBe('2026-10-25 2026-10-25T11:00:00.000Z')
  })

  test('a place without a calendar lets goods leave at once, on its own date', () => {
    expect(nextDeparture(at('2026-03-02T23:30:00Z'), undefined, 'Europe/Berlin')).toEqual({
      at_ms: at('2026-03-02T23:30:00Z'),
      day: '2026-03-03',
      closed_before: false,
    })
  })
})

describe('instantAt', () => {
  test('takes the first of two, and a skipped time as if nothing were skipped', () => {
    const iso = (day: string, time: string, zone: string): string => new Date(instantAt(day, time, zone)).toISOString()
    expect(iso('2026-10-25', '02:30', 'Europe/Berlin')).toBe('2026-10-25T00:30:00.000Z')
    expect(iso('2026-03-29', '02:30', 'Europe/Berlin')).toBe('2026-03-29T01:30:00.000Z')
    expect(iso('2026-11-01', '01:30', 'America/New_York')).toBe('2026-11-01T05:30:00.000Z')
    expect(iso('2026-07-01', '09:00', 'Asia/Kolkata')).toBe('2026-07-01T03:30:00.000Z')
  })

  test('is undone by the clock of the zone, through a whole year', () => {
    for (const zone of ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'UTC']) {
      for (let day = at('2026-01-01T00:00:00Z'); day < at('2027-01-01T00:00:00Z'); day += 86_400_000) {
        const date = new Date(day).toISOString().slice(0, 10)
        expect(dayAt(instantAt(date, '14:00', zone), zone)).toBe(date)
      }
    }
  })
})

describe('calendarFaults', () => {
  test('names overlaps, spans that end before they begin, and days that do not exist', () => {
    const closed = [
      { from: '2026-12-24', to: '2026-12-26' },
      { from: '2026-12-26', to: '2026-12-31' },
      { from: '2026-05-02', to: '2026-05-01' },
      { from: '2026-02-30', to: '2026-03-01' },
      { from: '2026-08-01', to: '2026-08-01' },
    ]
    expect(calendarFaults(calendar({ closed })).map(({ path }) => path.join('.'))).toEqual([
      'closed.1.from',
      'closed.2.to',
      'closed.3.from',
    ])
  })
})
