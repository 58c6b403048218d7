import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stripe } from '../../src/connectors/stripe/index.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import { startStripeSimulator, type StripeOptions, type StripeSimulator } from '../../src/sandbox/stripe.ts'
import { openAccount } from '../../src/sandbox/stripeAccount.ts'
import { startHookCatcher, waitUntil, type HookCatcher } from '../kit/hookCatcher.ts'
import { drainPull, vendorPort } from '../kit/vendorPort.ts'
import { answersBeforeKill } from './killed.ts'

let folder = ''
let catcher: HookCatcher
const running: StripeSimulator[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crossdock-stripe-'))
  catcher = await startHookCatcher()
})
afterEach(async () => {
  for (const gateway of running.splice(0)) await gateway.stop()
  await catcher.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function start(change: Partial<StripeOptions> = {}): Promise<StripeSimulator> {
  const gateway = await startStripeSimulator({
    connection_id: 'stripe',
    currency: 'EUR',
    fee: { percent_bp: 150, fixed_minor: 25 },
    journal_path: join(folder, 'stripe.jsonl'),
    port: 0,
    random: seededRandom(11),
    now: () => new Date(),
    faults: KIND,
    webhook_url: catcher.url,
    ...change,
  })
  running.push(gateway)
  return gateway
}

const charge = (gateway: Pick<StripeSimulator, 'charge'>, amount_minor = 1_000): string =>
  gateway.charge({ amount_minor, currency: 'EUR', order_number: 'N1', order_external_id: '1' }).id
const eventsOf = (requests: HookCatcher['requests']): { id: string; type: string }[] =>
  requests.map(({ body }) => JSON.parse(body.toString()) as { id: string; type: string })

describe('the simulated Stripe account', () => {
  it('pays out what was charged less fees and refunds, with rows that sum to it', async () => {
    const gateway = await start()
    const first = charge(gateway, 3_711)
    charge(gateway, 1_000)
    gateway.refund(first, 711)
    expect(() => gateway.refund(first, 3_001)).toThrow()
    // 3711 - 81, 1000 - 40, -711
    const payout = gateway.payOut()!
    expect(payout.amount_minor).toBe(3_711 - 81 + 1_000 - 40 - 711)
    expect(gateway.payOut()).toBeUndefined()
    expect(gateway.ledger()).toMatchObject({
      balance_minor: 0,
      payouts: [{ id: payout.id, status: 'paid', amount_minor: payout.amount_minor }],
    })
    expect(gateway.failPayout(payout.id)).toBe(true)
    expect(gateway.failPayout(payout.id)).toBe(false)
    expect(gateway.ledger().balance_minor).toBe(payout.amount_minor)
  })

  it('pays out in parts, each of its own rows, and tells a misstated one wrongly while its ledger stays true', async () => {
    const gateway = await start()
    const charges = Array.from({ length: 7 }, (_, index) => charge(gateway, 1_000 + index))
    gateway.refund(charges[6] ?? '', 1_006)
    const parts = gateway.payOutParts(3)
    // The last row is a refund of more than the row before it brings: it comes off the payout before.
    expect(parts).toHaveLength(2)
    const truth = gateway.ledger()
    expect(truth.balance_minor).toBe(0)
    for (const { amount_minor, rows } of truth.payouts)
      expect(rows.reduce((sum, { net_minor }) => sum + net_minor, 0)).toBe(amount_minor)
    const [first] = truth.payouts
    const row = first!.rows[0]!
    const told = { ...first!, amount_minor: first!.amount_minor + 5, rows: [{ ...row, fee_minor: 1, net_minor: row.gross_minor - 1 }, { ...row, id: 'again' }] } // prettier-ignore
    gateway.misstate([told])
    const get = async (path: string) => (await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${String(gateway.settings['api_key'])}` } })).json() // prettier-ignore
    expect(await get(`/v1/payouts/${told.id}`)).toMatchObject({ amount: told.amount_minor })
    const rows = (await get(`/v1/balance_transactions?payout=${told.id}&limit=100`)) as { data: { id: string; fee: number }[] } // prettier-ignore
    expect(rows.data.map(({ id, fee }) => [id, fee])).toEqual([[expect.any(String), 0], ['again', row.fee_minor], [row.id, 1]]) // prettier-ignore
    expect(gateway.ledger()).toEqual(truth)
  })

  it('keeps every payout equal to its rows, whatever happens before it', () => {
    const deed = fc.oneof(
      fc.record({ do: fc.constant('charge' as const), amount: fc.integer({ min: 50, max: 1_000_000 }) }),
      fc.record({ do: fc.constant('refund' as const), amount: fc.integer({ min: 1, max: 5_000 }) }),
      fc.record({
        do: fc.constantFrom('dispute' as const, 'payOut' as const, 'failPayout' as const),
        amount: fc.constant(0),
      }),
    )
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 60 }), (deeds) => {
        const account = openAccount({
          journal_path: null,
          currency: 'EUR',
          fee: { percent_bp: 290, fixed_minor: 30 },
          now: () => new Date(0),
          onEvent: () => undefined,
        })
        const charges: string[] = []
        for (const { do: what, amount } of deeds) {
          const last = account.ledger().charges.at(-1)
          if (what === 'charge') charges.push(charge(account, amount))
          if (what === 'refund' && last !== undefined && last.refunded_minor + amount <= last.amount_minor)
            account.refund(last.id, amount)
          if (what === 'dispute' && last !== undefined) account.dispute(last.id)
          if (what === 'payOut') account.payOut()
          if (what === 'failPayout') account.failPayout(account.ledger().payouts.at(-1)?.id ?? '')
        }
        const { payouts, balance_minor, charges: told } = account.ledger()
        expect(told.map(({ id }) => id)).toEqual(charges)
        for (const payout of payouts)
          expect(payout.rows.reduce((sum, row) => sum + row.net_minor, 0)).toBe(payout.amount_minor)
        const all = payouts.flatMap((payout) => payout.rows.map((row) => row.id))
        expect(new Set(all).size).toBe(all.length)
        expect(Number.isInteger(balance_minor)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('signs its events, retries until it is heard, and sends some twice', async () => {
    const gateway = await start()
    catcher.answerWith(503)
    charge(gateway)
    await waitUntil(() => catcher.requests.length === 2)
    catcher.answerWith(200)
    await waitUntil(() => !gateway.busy())
    expect(catcher.requests.length).toBeGreaterThanOrEqual(3)
    expect(new Set(catcher.requests.map((request) => stripe.webhook!.dedupeKey(request))).size).toBe(1)
    expect(catcher.requests.every((request) => stripe.webhook!.verify(request, gateway.settings).ok)).toBe(true)

    const before = catcher.requests.length
    gateway.setFaults({ ...KIND, webhook_duplicate_share: 1 })
    charge(gateway)
    await waitUntil(() => !gateway.busy())
    expect(catcher.requests).toHaveLength(before + 2)
  })

  it('keeps what it has to say until it knows to whom, also over a restart', async () => {
    const deaf = await start({ webhook_url: null })
    charge(deaf)
    await waitUntil(() => !deaf.busy())
    expect(catcher.requests).toEqual([])
    await running.pop()?.stop()
    const gateway = await start({ webhook_url: null })
    await waitUntil(() => !gateway.busy())
    gateway.setWebhookUrl(catcher.url)
    await waitUntil(() => catcher.requests.length === 1 && !gateway.busy())
    expect(eventsOf(catcher.requests)).toMatchObject([{ type: 'charge.succeeded' }])
  })

  it('tells a payout in three events that overtake each other', async () => {
    const gateway = await start({ faults: { ...KIND, webhook_delay_ms_max: 300 } })
    for (let count = 0; count < 20; count += 1) charge(gateway)
    gateway.payOut()
    await waitUntil(() => !gateway.busy())
    const events = eventsOf(catcher.requests)
    expect(
      events
        .map((event) => event.type)
        .toSorted()
        .slice(-3),
    ).toEqual(['payout.created', 'payout.paid', 'payout.reconciliation_completed'])
    expect(events.map((event) => event.id)).not.toEqual(events.map((event) => event.id).toSorted())
    expect(new Set(events.map((event) => event.id)).size).toBe(23)
  })

  it('on its bad days throttles, fails and cuts, and a patient pull still gets all', async () => {
    const gateway = await start({ webhook_url: null })
    for (let count = 0; count < 250; count += 1) charge(gateway)
    gateway.payOut()
    gateway.setFaults({ ...KIND, throttle_share: 0.1, fail_share: 0.1, cut_share: 0.1 })
    const { port } = vendorPort(stripe, gateway.settings)
    const codes = new Set<string>()
    for (let attempt = 0; attempt < 100; attempt += 1) {
      try {
        const { items } = await drainPull(
          stripe.pull!.settlements!(port, { cursor: null, overlap_ms: 0, now: new Date() }),
        )
        expect((items[0]!.payload as { balance_transactions: unknown[] }).balance_transactions).toHaveLength(251)
        break
      } catch (thrown) {
        codes.add((thrown as { code: string }).code)
        expect(attempt).toBeLessThan(99)
      }
    }
    expect(
      [...codes].every((code) =>
        ['vendor_throttled', 'vendor_unavailable', 'vendor_timeout', 'vendor_unreachable', 'circuit_open'].includes(
          code,
        ),
      ),
    ).toBe(true)
  })

  it('remembers all it answered after a power cut', async () => {
    const journal_path = join(folder, 'killed.jsonl')
    const answered = await answersBeforeKill('stripe', journal_path)
    expect(answered.length).toBeGreaterThan(100)
    const gateway = await start({ journal_path, webhook_url: null })
    const { charges, balance_minor } = gateway.ledger()
    expect(answered.every((id) => charges.some((known) => known.id === id))).toBe(true)
    expect(balance_minor).toBe(charges.length * (1_000 - 40))
    expect(charges.some((known) => known.id === charge(gateway))).toBe(false)
  })
})
