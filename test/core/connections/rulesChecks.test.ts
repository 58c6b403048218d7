import { describe, expect, it } from 'vitest'
import { casesOfChecks, tidyChecks, type CheckResult } from '../../../src/core/connections/rulesChecks.ts'

const NOW = new Date('2026-11-21T12:00:00Z')
const inDays = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000)
const check = (name: string, more: Partial<CheckResult> = {}): CheckResult => ({
  name,
  ok: true,
  detail: 'fine',
  expires_at: null,
  ...more,
})

describe('the cases of a self test', () => {
  it.each([
    ['nothing to see', check('a'), []],
    ['a check that failed', check('a', { ok: false }), ['check_failed a']],
    ['a key that ends in a month', check('a', { expires_at: inDays(30) }), []],
    ['a key that ends in exactly 14 days', check('a', { expires_at: inDays(14) }), []],
    ['a key that ends a little sooner', check('a', { expires_at: inDays(13.99) }), ['key_expires a']],
    ['a key that has ended', check('a', { expires_at: inDays(-1) }), ['key_expires a']],
    ['both', check('a', { ok: false, expires_at: inDays(1) }), ['check_failed a', 'key_expires a']],
  ])('%s', (_name, result, opened) => {
    const { open, close } = casesOfChecks([result], [], NOW)
    expect(open.map(({ kind, name }) => `${kind} ${name}`)).toEqual(opened)
    for (const kind of ['check_failed', 'key_expires'] as const)
      expect(close[kind]).toEqual(opened.includes(`${kind} a`) ? [] : ['a'])
  })

  it('are closed for checks that are not made any more', () => {
    const { open, close } = casesOfChecks([check('b', { ok: false })], ['a', 'b'], NOW)
    expect(open).toMatchObject([{ name: 'b', data: { check: 'b', detail: 'fine' } }])
    expect(close).toEqual({ check_failed: ['a'], key_expires: ['a', 'b'] })
  })
})

describe('checks as they are kept', () => {
  it('are short, one of each name, and have a time that is one', () => {
    const tidy = tidyChecks([
      { name: 'n'.repeat(100), ok: true, detail: 'd'.repeat(500), expires_at: 'soon' },
      { name: 'key', ok: true, detail: 'first' },
      { name: 'key', ok: false, detail: 'second', expires_at: '2026-12-01' },
    ])
    expect(tidy).toEqual([
      { name: 'n'.repeat(60), ok: true, detail: 'd'.repeat(200), expires_at: null },
      { name: 'key', ok: false, detail: 'second', expires_at: new Date('2026-12-01T00:00:00Z') },
    ])
  })
})
