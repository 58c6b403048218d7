import { describe, expect, it, vi } from 'vitest'
import { HubError, type ErrorCode } from '../../../src/core/errors.ts'
import {
  createBreaker,
  createLimiter,
  openMs,
  type BreakerState,
  type Limiter,
} from '../../../src/connectors/_kit/limits.ts'

const codeOf = (thrown: unknown): string => (thrown instanceof HubError ? thrown.code : 'none')

describe('limiter', () => {
  it('waits a short while and hands a long one back to the job', async () => {
    const short = createLimiter({ connection_id: 'a', limit: { calls: 2, per_ms: 1000 }, store: { kind: 'memory' } })
    const started = performance.now()
    for (let i = 0; i < 3; i += 1) await short.take('realtime')
    expect(performance.now() - started).toBeGreaterThan(500)
    const long = createLimiter({ connection_id: 'b', limit: { calls: 1, per_ms: 60_000 }, store: { kind: 'memory' } })
    await long.take('realtime')
    const fault: unknown = await long.take('realtime').catch((thrown: unknown) => thrown)
    expect(fault).toMatchObject({ code: 'vendor_throttled' })
    expect((fault as HubError).retry_after_ms).toBeGreaterThan(50_000)
  })

  it('keeps room for live work while bulk work has used up its share', async () => {
    const limiter = createLimiter({
      connection_id: 'c',
      limit: { calls: 10, per_ms: 60_000 },
      store: { kind: 'memory' },
    })
    const bulk = await Promise.allSettled(Array.from({ length: 10 }, () => limiter.take('bulk')))
    expect(bulk.filter(({ status }) => status === 'fulfilled')).toHaveLength(6)
    const live = await Promise.allSettled(Array.from({ length: 5 }, () => limiter.take('realtime')))
    expect(live.filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
  })
})

describe('limits of operations', () => {
  const minute = (calls: number) => ({ calls, per_ms: 60_000 })
  const taken = async (limiter: Limiter, operation: string, times: number): Promise<number> => {
    const ends = await Promise.allSettled(Array.from({ length: times }, () => limiter.take('realtime', operation)))
    return ends.filter(({ status }) => status === 'fulfilled').length
  }

  it('hold beside the one of the connection', async () => {
    const limiter = createLimiter({
      connection_id: 'ops',
      limit: minute(10),
      limits: { search: minute(2) },
      store: { kind: 'memory' },
    })
    expect(await taken(limiter, 'search', 5)).toBe(2)
    expect(await taken(limiter, 'patch', 20)).toBe(8)
  })

  it('are what the vendor last said, in either direction, and nonsense changes nothing', async () => {
    const limiter = createLimiter({
      connection_id: 'learns',
      limit: minute(1_000),
      limits: { search: minute(2) },
      store: { kind: 'memory' },
    })
    limiter.learn('search', minute(7))
    limiter.learn('search', { calls: 0, per_ms: 1_000 })
    limiter.learn('search', { calls: 5, per_ms: 0 })
    limiter.learn('search', { calls: Number.NaN, per_ms: 1_000 })
    expect(await taken(limiter, 'search', 20)).toBe(7)
    limiter.learn('search', minute(7))
    expect(await taken(limiter, 'search', 20)).toBe(0)
    limiter.learn('patch', minute(3))
    expect(await taken(limiter, 'patch', 20)).toBe(3)
  })
})

describe('breaker', () => {
  const failing = (code: ErrorCode) => (): Promise<never> => Promise.reject(new HubError(code, 'x'))

  it.each([
    [1, 10_000],
    [2, 20_000],
    [3, 40_000],
    [4, 60_000],
    [50, 60_000],
  ])('stays open the %i. time for %i ms', (times, ms) => {
    expect(openMs(times)).toBe(ms)
  })

  it('opens after five faults, tries once, doubles its time, and closes on success', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
    try {
      const states: BreakerState[] = []
      const breaker = createBreaker({
        connection_id: 'a',
        now: () => new Date(),
        mirror: (state) => void states.push(state),
      })
      const fail = async (): Promise<string> =>
        codeOf(await breaker.run(failing('vendor_unavailable')).catch((thrown: unknown) => thrown))
      for (let i = 0; i < 5; i += 1) expect(await fail()).toBe('vendor_unavailable')
      expect(await fail()).toBe('circuit_open')
      expect(() => breaker.check()).toThrow(HubError)
      vi.setSystemTime(1_010_001)
      expect(await fail()).toBe('vendor_unavailable')
      vi.setSystemTime(1_020_002)
      expect(await fail()).toBe('circuit_open')
      vi.setSystemTime(1_030_002)
      expect(await breaker.run(() => Promise.resolve('ok'))).toBe('ok')
      expect(states).toEqual([
        { failures: 1, open_until: new Date(1_010_000) },
        { failures: 2, open_until: new Date(1_030_001) },
        { failures: 0, open_until: null },
      ])
    } finally {
      vi.useRealTimers()
    }
  })

  it.each(['vendor_rejected', 'vendor_throttled', 'vendor_auth', 'vendor_conflict', 'address_refused'] as const)(
    'does not count %s',
    async (code) => {
      const breaker = createBreaker({ connection_id: 'a', now: () => new Date(), mirror: () => undefined })
      for (let i = 0; i < 20; i += 1)
        expect(codeOf(await breaker.run(failing(code)).catch((thrown: unknown) => thrown))).toBe(code)
    },
  )
})
