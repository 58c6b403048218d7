import fc from 'fast-check'
import nock from 'nock'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PulledItem } from '../../../src/connectors/_kit/define.ts'
import { paypal } from '../../../src/connectors/paypal/index.ts'
import type { Settlement } from '../../../src/core/model/settlement.ts'
import { startPaypalSimulator, type PaypalOptions, type PaypalSimulator } from '../../../src/sandbox/paypal.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import { drainPull, vendorPort } from '../../kit/vendorPort.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
let clock_ms = 0
const now = (): Date => new Date(clock_ms)
const started: PaypalSimulator[] = []

async function open(more: Partial<PaypalOptions> = {}): Promise<PaypalSimulator> {
  const account = await startPaypalSimulator({
    connection_id: 'paypal-test',
    fee: { percent_bp: 249, fixed_minor: 35 },
    journal_path: null,
    port: 0,
    random: () => 0.5,
    now,
    faults: KIND,
    webhook_url: null,
    ...more,
  })
  started.push(account)
  return account
}
beforeEach(() => void (clock_ms = Date.UTC(2026, 8, 3, 8)))
afterEach(async () => {
  for (const account of started.splice(0)) await account.stop()
  nock.cleanAll()
})

const pull = async (settings: Readonly<Record<string, unknown>>, cursor: string | null = null) =>
  drainPull(paypal.pull!.settlements!(vendorPort(paypal, settings).port, { cursor, overlap_ms: 0, now: now() }))
const settlementOf = (item: PulledItem): Settlement =>
  paypal.inbound[item.topic]!.map(item.payload, { observed_at: now().toISOString(), settings: {} }).facts[0]!
    .document as Settlement
const sumOf = ({ lines }: Settlement): number => lines.reduce((total, line) => total + line.net_minor, 0)
const later = (ms: number): void => void (clock_ms += ms)

function pay(account: PaypalSimulator, amount_minor: number, currency = 'EUR', order = '1'): string {
  later(60_000)
  return account.pay({ amount_minor, currency, order_number: `N${order}` }).id
}

describe('withdrawals', () => {
  it('come with all that led to them, over pages, currencies, holds and conversions, and prove themselves', async () => {
    const account = await open()
    const ids = Array.from({ length: 620 }, (_, index) => pay(account, 1_000 + index, 'EUR', String(index)))
    account.refund(ids[0]!, 400)
    account.chargeback(ids[1]!)
    account.hold(ids[2]!)
    later(1_000)
    account.release(ids[2]!)
    pay(account, 5_000, 'USD')
    account.convert({ currency: 'USD', amount_minor: 4_000 }, { currency: 'EUR', amount_minor: 3_600 })
    later(HOUR_MS)
    const first = account.withdraw('EUR', 500_000)!
    pay(account, 700)
    later(HOUR_MS)
    const second = account.withdraw('EUR')!
    later(HOUR_MS)
    const { items } = await pull(account.settings)
    const told = items.map(settlementOf)
    expect(told.map((one) => [one.external_id, one.status, one.payout_minor, one.payout_minor - sumOf(one)])).toEqual([
      [first.id, 'paid', 500_000, 0],
      [second.id, 'paid', second.amount_minor, 0],
    ])
    const [one, two] = told
    const kinds = Object.groupBy(one!.lines, ({ kind }) => kind)
    expect(Object.entries(kinds).map(([kind, lines]) => [kind, lines?.length])).toEqual([
      ['sale', 620], ['refund', 1], ['dispute', 1], ['dispute_fee', 1], ['reserve_hold', 1], ['reserve_release', 1], ['transfer', 1], ['carry_over', 1],
    ]) // prettier-ignore
    expect(kinds.sale![7]).toMatchObject({ gross_minor: 1_007, fee_minor: 60, references: { order_number: 'N7', payment_ids: [ids[7]] } }) // prettier-ignore
    expect(kinds.transfer![0]?.fx).toEqual({ currency: 'USD', original_minor: 4_000, rate: '0.9000000000' })
    expect(two!.lines.map(({ kind }) => kind)).toEqual(['carry_over', 'sale'])
  })

  it('are told once; what is left at the end of a month is told too, and so is a currency that nobody withdraws', async () => {
    const account = await open()
    for (let day = 0; day < 80; day += 1) {
      pay(account, 2_000 + day)
      if (day % 20 === 0) pay(account, 900, 'USD')
      if (day === 10 || day === 50) account.withdraw('EUR')
      later(DAY_MS)
    }
    const first = await pull(account.settings)
    const told = first.items.map(settlementOf)
    const month = (name: string) => `SANDBOXMERCHANT:${name}`
    expect(told.map(({ external_id, payout_minor }) => [external_id, payout_minor > 0])).toEqual([
      [expect.stringMatching(/^SANDBOX\d/), true],
      [month('2026-09:EUR'), false],
      [month('2026-09:USD'), false],
      [expect.stringMatching(/^SANDBOX\d/), true],
      [month('2026-10:EUR'), false],
      [month('2026-10:USD'), false],
    ])
    expect(told.every((one) => one.payout_minor === sumOf(one))).toBe(true)
    expect(told.find(({ external_id }) => external_id === month('2026-10:USD'))).toMatchObject({ created_at: '2026-10-31T23:59:59.000Z' }) // prettier-ignore
    expect((await pull(account.settings, first.cursor)).items).toEqual([])
    // What is settled is not searched again.
    const before = account.counts().searches
    await pull(account.settings, first.cursor)
    expect(account.counts().searches - before).toBe(1)
    expect(account.counts().tokens).toBe(3)
  })

  it('end where the records do, and what comes later is found', async () => {
    const account = await open({ lag_ms: 3 * HOUR_MS })
    pay(account, 1_000)
    const withdrawal = account.withdraw('EUR')!
    later(2 * HOUR_MS)
    const early = await pull(account.settings)
    expect(early.items).toEqual([])
    later(2 * HOUR_MS)
    const { items } = await pull(account.settings, early.cursor)
    expect(items.map((item) => settlementOf(item).external_id)).toEqual([withdrawal.id])
  })

  it('of which a row comes late are told with the difference, and again when it has come', async () => {
    const account = await open()
    pay(account, 1_000)
    account.behind(() => void account.pay({ amount_minor: 500, currency: 'EUR', order_number: 'LATE' }))
    pay(account, 300)
    const withdrawal = account.withdraw('EUR')!
    later(HOUR_MS)
    const short = await pull(account.settings)
    const [held] = short.items.map(settlementOf)
    expect([held!.external_id, held!.payout_minor - sumOf(held!)]).toEqual([withdrawal.id, 500 - 47])
    expect(JSON.parse(short.cursor!)).toMatchObject({ reach_days: 31 })
    // Long after the usual reach: a window that does not prove itself is not left alone.
    later(12 * DAY_MS)
    account.catchUp()
    const whole = await pull(account.settings, short.cursor)
    const [proven] = whole.items.map(settlementOf)
    expect([proven!.external_id, proven!.payout_minor - sumOf(proven!), proven!.lines.length]).toEqual([
      withdrawal.id,
      0,
      3,
    ])
    expect(whole.items[0]!.dedupe_key).not.toBe(short.items[0]!.dedupe_key)
    expect(JSON.parse(whole.cursor!)).toMatchObject({ reach_days: 3, told: {} })
  })

  it('whose id the vendor corrects give way to the new one, which has their lines', async () => {
    const account = await open()
    pay(account, 1_000)
    const old = account.withdraw('EUR')!
    later(HOUR_MS)
    const first = await pull(account.settings)
    const renamed = account.renameWithdrawal(old.id)
    later(HOUR_MS)
    const second = await pull(account.settings, first.cursor)
    expect(second.items.map(settlementOf)).toMatchObject([
      { external_id: old.id, status: 'cancelled', payout_minor: 0, lines: [] },
      { external_id: renamed.id, status: 'paid', payout_minor: old.amount_minor, lines: [{ kind: 'sale' }] },
    ])
    later(10 * DAY_MS)
    expect((await pull(account.settings, second.cursor)).items).toEqual([])
  })

  it('resume behind the last one that was stored', async () => {
    const account = await open()
    for (let count = 0; count < 3; count += 1) {
      pay(account, 1_000)
      account.withdraw('EUR')
    }
    later(HOUR_MS)
    const pages = paypal.pull!.settlements!(vendorPort(paypal, account.settings).port, {
      cursor: null,
      overlap_ms: 0,
      now: now(),
    })
    const stored = (await pages.next()).value as { items: PulledItem[]; cursor: string }
    expect([stored.items.length, (await pull(account.settings, stored.cursor)).items.length]).toEqual([1, 2])
  })

  it('are searched in smaller spans where one has too many rows', async () => {
    const account = await open({ rows_max: 40 })
    for (let count = 0; count < 200; count += 1) {
      pay(account, 1_000)
      later(HOUR_MS)
    }
    const withdrawal = account.withdraw('EUR')!
    later(HOUR_MS)
    const [told] = (await pull(account.settings)).items.map(settlementOf)
    expect([told!.payout_minor - sumOf(told!), told!.payout_minor]).toEqual([0, withdrawal.amount_minor])
  })

  it('whatever happens between pulls, every entry ends up in one window, to the cent', async () => {
    const deed = fc.oneof(
      fc.record({
        do: fc.constant('pay' as const),
        minor: fc.integer({ min: 100, max: 9_000 }),
        usd: fc.boolean(),
        hidden: fc.boolean(),
      }),
      fc.record({ do: fc.constantFrom('withdraw', 'rename', 'catchUp', 'pull', 'refund') }),
      fc.record({ do: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 16 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 5, maxLength: 40 }), async (deeds) => {
        clock_ms = Date.UTC(2026, 8, 22, 8)
        const account = await open()
        // What lay on an account before its first row that was ever seen, nobody can tell apart.
        for (const currency of ['EUR', 'USD']) pay(account, 1_000, currency)
        const kept = new Map<string, Settlement>()
        let cursor: string | null = null
        let last: string | undefined
        const take = async (): Promise<void> => {
          const pulled = await pull(account.settings, cursor)
          for (const item of pulled.items) kept.set(settlementOf(item).external_id, settlementOf(item))
          cursor = pulled.cursor ?? cursor
        }
        const payments: string[] = []
        for (const one of deeds) {
          later(60_000)
          if (one.do === 'wait') later(one.hours * HOUR_MS)
          if (one.do === 'pull') await take()
          if (one.do === 'catchUp') account.catchUp()
          if (one.do === 'refund' && payments.length > 0) account.refund(payments.pop()!, 50)
          // A withdrawal is corrected while it is young.
          if (one.do === 'rename' && last !== undefined) last = account.renameWithdrawal(last).id
          if (one.do === 'wait') last = undefined
          if (one.do === 'withdraw') last = account.withdraw('EUR')?.id ?? last
          if (one.do === 'pay') {
            const book = (): void => void payments.push(account.pay({ amount_minor: one.minor, currency: one.usd ? 'USD' : 'EUR', order_number: 'N' }).id) // prettier-ignore
            if (one.hidden) account.behind(book)
            else book()
          }
        }
        account.catchUp()
        later(HOUR_MS)
        await take()
        // Money that lies on the account is told when its month is over.
        later(40 * DAY_MS)
        await take()
        const told = [...kept.values()].filter(({ status }) => status !== 'cancelled')
        expect(told.map((one) => [one.external_id, one.payout_minor - sumOf(one)])).toEqual(
          told.map((one) => [one.external_id, 0]),
        )
        const lines = told.flatMap(({ lines: own }) => own).filter(({ kind }) => kind !== 'carry_over')
        const booked = account.ledger().rows.filter(({ code }) => code !== 'T0400')
        expect(lines.map((line) => `${line.external_id} ${line.net_minor}`).toSorted()).toEqual(
          booked.map((row) => `${row.id}:${row.code} ${row.gross_minor + row.fee_minor}`).toSorted(),
        )
        const paid = told.flatMap(({ payout_minor }) => (payout_minor > 0 ? [payout_minor] : []))
        const withdrawn = account.ledger().withdrawals.map(({ amount_minor }) => amount_minor)
        expect(paid.toSorted((x, y) => x - y)).toEqual(withdrawn.toSorted((x, y) => x - y))
        await account.stop()
        started.pop()
      }),
      { numRuns: 60 },
    )
  })
})

describe('odd answers', () => {
  const API = 'http://127.0.0.1:9'
  const SETTINGS = { client_id: 'id', client_secret: 'secret', api_url: API, first_days: 5 }
  const token = (times = 1) =>
    nock(API)
      .post('/v1/oauth2/token')
      .times(times)
      .reply(200, { access_token: 'T', token_type: 'Bearer', expires_in: 900 })
  const answer = (status: number, body: string | object, headers: Record<string, string> = {}) =>
    nock(API).get('/v1/reporting/transactions').query(true).reply(status, body, headers)
  const fault = async (): Promise<unknown> => pull(SETTINGS).catch((thrown: unknown) => thrown)
  const PAGE = {
    account_number: 'A',
    total_items: 1,
    total_pages: 1,
    last_refreshed_datetime: '2026-09-03T06:00:00+0000',
  }
  const INFO = {
    transaction_id: 'X', transaction_event_code: 'T0006', transaction_initiation_date: '2026-09-01T00:00:00+0000', transaction_status: 'S',
    transaction_amount: { currency_code: 'EUR', value: '1.00' },
  } // prettier-ignore

  it.each([
    ['too many calls', 429, { name: 'RATE_LIMIT_REACHED' }, { 'retry-after': '7' }, { code: 'vendor_throttled', retry_after_ms: 7_000 }],
    ['a scope is missing', 403, { name: 'NOT_AUTHORIZED', message: 'no' }, {}, { code: 'vendor_auth', next: 'pause' }],
    ['a page of HTML', 200, '<html>maintenance</html>', {}, { code: 'vendor_response_invalid' }],
    ['a cut answer', 200, '{"transaction_details":[{"transac', {}, { code: 'vendor_response_invalid' }],
    ['fewer rows than it says', 200, { ...PAGE, transaction_details: [] }, {}, { code: 'vendor_response_invalid', message: expect.stringContaining('0 of 1 rows') }],
    ['no balances', 200, { ...PAGE, transaction_details: [{ transaction_info: INFO }] }, {}, { code: 'vendor_response_invalid', message: expect.stringContaining('no balances') }],
    ['a row that cannot be read', 200, { ...PAGE, transaction_details: [{ transaction_info: { ...INFO, transaction_amount: { currency_code: 'EUR', value: '1.005' } } }] }, {}, { code: 'vendor_response_invalid' }],
  ])('%s', async (_name, status, body, headers, expected) => {
    token()
    answer(status, body, headers)
    expect(await fault()).toMatchObject(expected)
  }) // prettier-ignore

  it('a token that is refused twice is the credentials’ fault, one that is refused once is renewed', async () => {
    token(2)
    answer(401, { error: 'invalid_token' })
    answer(401, { error: 'invalid_token' })
    expect(await fault()).toMatchObject({ code: 'vendor_auth' })
    const account = await open()
    const { port } = vendorPort(paypal, account.settings)
    const search = async () => drainPull(paypal.pull!.settlements!(port, { cursor: null, overlap_ms: 0, now: now() }))
    await search()
    account.revoke()
    await search()
    expect(account.counts().tokens).toBe(2)
  })

  it('times of which there are no records yet are no fault', async () => {
    token()
    answer(400, { name: 'INVALID_REQUEST', message: 'Data for the given start date is not available.' })
    expect(await pull(SETTINGS)).toEqual({ items: [], cursor: null, pages: 0 })
  })

  it('a connection for files alone asks nothing', async () => {
    expect(await pull({})).toEqual({ items: [], cursor: null, pages: 0 })
    await expect(paypal.test!(vendorPort(paypal, {}).port)).rejects.toMatchObject({ code: 'unsupported' })
  })

  it('the account shows itself', async () => {
    const account = await open()
    pay(account, 500)
    const { port } = vendorPort(paypal, account.settings)
    expect(await paypal.test!(port)).toBe('account SANDBOXMERCHANT with balances in EUR')
    expect(await paypal.selfTest!(port, now())).toMatchObject([
      { name: 'transaction_search', ok: true, detail: expect.stringMatching(/^1 rows/) },
    ])
  })
})
