import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { matchOpenLines } from '../../../src/core/matching/matchLines.ts'
import { loadOpenItems } from '../../../src/core/matching/openItems.ts'
import { causeOf, type OpenItem, type Verdict } from '../../../src/core/matching/rulesMatch.ts'
import { verify } from '../../../src/core/verify.ts'
import { createWorld, type World } from '../world.ts'
import { orderTruth, payoutOf, render, storeOrders, type Line, type Rendered } from './truth.ts'

const RUNS = 40
/** After every payout of the truth should have come. */
const TODAY = '2026-06-01'

let world: World
let serial = 0
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.drop())

interface Played {
  open: { item: OpenItem; verdict: Verdict; order: string }[]
  lines: { match_state: string; kind: string; difference: number | null }[]
}

/** Stores the orders, imports the payouts, and reads what is open of these orders. */
async function play(
  orders: readonly Rendered[],
  payouts: readonly { lines: Line[]; currency: string }[],
): Promise<Played> {
  const run = (serial += 1)
  await storeOrders(world.db, orders, 'shop')
  for (const [index, { lines, currency }] of payouts.entries()) {
    const [outcome] = await world.apply('shop', payoutOf(`po-${run}-${index}`, lines, currency))
    expect(outcome?.kind).toBe('applied')
  }
  const ids = await world.db.query<{ id: string; external_id: string }>(
    'select id, external_id from orders where external_id = any($1::text[])',
    [orders.map((order) => order.external_id)],
  )
  const nameOf = new Map(ids.map((row) => [row.id, row.external_id]))
  const items = (await loadOpenItems(world.db, 'acme')).filter((item) => nameOf.has(item.order_id ?? ''))
  const lines = await world.db.query<Played['lines'][number]>(
    `select l.match_state, l.kind, g.difference_minor as difference from settlement_lines l join settlements s on s.id = l.settlement_id
     left join match_groups g on g.id = l.match_group_id where s.external_id like $1`,
    [`po-${run}-%`],
  )
  return {
    open: items.map((item) => ({ item, verdict: causeOf(item, TODAY), order: nameOf.get(item.order_id ?? '') ?? '' })),
    lines,
  }
}

const truths = fc.array(orderTruth, { minLength: 1, maxLength: 6 })
const named = (orders: readonly Parameters<typeof render>[0][]): Rendered[] =>
  orders.map((truth) => render(truth, `T${(serial += 1)}`))

const FAULTS = ['cent', 'drop', 'double', 'sign', 'currency'] as const
const ALLOWED: Readonly<Record<(typeof FAULTS)[number], readonly string[]>> = {
  cent: ['amount_mismatch'],
  drop: ['missing_in_ledger', 'amount_mismatch'],
  double: ['duplicate'],
  sign: ['amount_mismatch'],
  currency: ['currency_mismatch', 'amount_mismatch', 'missing_in_ledger'],
}

const changed = (line: Line, gross_minor: number): Line => ({
  ...line,
  gross_minor,
  net_minor: gross_minor - line.fee_minor,
})

/** The lines with one of them spoilt, and by how much the sum of the amounts is then wrong. */
function spoil(lines: readonly Line[], victim: Line, fault: (typeof FAULTS)[number]) {
  const others = lines.filter((line) => line !== victim)
  const euro = (...spoilt: Line[]) => [{ lines: [...others, ...spoilt], currency: 'EUR' }]
  switch (fault) {
    case 'cent':
      return { payouts: euro(changed(victim, victim.gross_minor + 1)), off_minor: 1 }
    case 'drop':
      return { payouts: euro(), off_minor: -victim.gross_minor }
    case 'double':
      return {
        payouts: euro(victim, { ...victim, external_id: `${victim.external_id}-again` }),
        off_minor: victim.gross_minor,
      }
    case 'sign':
      return { payouts: euro(changed(victim, -victim.gross_minor)), off_minor: -2 * victim.gross_minor }
    case 'currency':
      return { payouts: [...euro(), { lines: [{ ...victim, currency: 'USD' }], currency: 'USD' }], off_minor: null }
  }
}

describe('matching, whatever was sold', () => {
  it('joins everything with no difference, and the same again changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(truths, fc.integer({ min: 1, max: 3 }), async (orders, payouts) => {
        const rendered = named(orders)
        const all = rendered.flatMap((order) => order.lines)
        const spread = Array.from({ length: payouts }, (_, index) => ({
          lines: all.filter((_line, at) => at % payouts === index),
          currency: 'EUR',
        })).filter(({ lines }) => lines.length > 0)
        const { open, lines } = await play(rendered, spread)
        expect(open).toEqual([])
        expect(lines.filter((line) => line.match_state !== 'matched')).toEqual([])
        expect(lines.every((line) => (line.difference ?? 0) === 0)).toBe(true)
      }),
      { numRuns: RUNS },
    )
    const before = await world.db.query('select id, rule, state from match_groups order by id')
    expect(before.length).toBeGreaterThan(RUNS)
    expect(await matchOpenLines(world.db, world.ctx.now)).toEqual({ looked: 0, matched: 0, left: 0 })
    expect(await world.db.query('select id, rule, state from match_groups order by id')).toEqual(before)
  })

  it('finds the one fault, names it, and leaves every other order alone', async () => {
    const found = new Set<string>()
    await fc.assert(
      fc.asyncProperty(truths, fc.constantFrom(...FAULTS), fc.nat(), async (orders, fault, pick) => {
        const rendered = named(orders)
        const all = rendered.flatMap((order) => order.lines)
        const victims = all.filter((line) => line.gross_minor !== 0 && (line.fx ?? null) === null)
        const victim = victims[pick % victims.length]
        fc.pre(victim !== undefined && all.length > 1)
        const spoilt = spoil(all, victim, fault)
        const { open } = await play(rendered, spoilt.payouts)
        const owner = rendered.find((order) => order.lines.includes(victim))
        expect(open.length).toBeGreaterThan(0)
        expect(new Set(open.map(({ order }) => order))).toEqual(new Set([owner?.external_id]))
        const causes = open.map(({ verdict }) => verdict.cause)
        expect(causes.filter((cause) => !ALLOWED[fault].includes(cause))).toEqual([])
        if (fault === 'currency') expect(causes).toContain('currency_mismatch')
        if (spoilt.off_minor !== null)
          expect(open.reduce((total, { verdict }) => total + verdict.amount_minor, 0)).toBe(spoilt.off_minor)
        for (const cause of causes) found.add(`${fault}: ${cause}`)
      }),
      { numRuns: RUNS * 3 },
    )
    expect([...found]).toEqual(
      expect.arrayContaining(['cent: amount_mismatch', 'double: duplicate', 'drop: missing_in_ledger']),
    )
  })

  it('leaves every match whole', async () => {
    const { checks } = await verify(world.db)
    expect(checks.filter(({ name, violations }) => name.startsWith('match') && violations > 0)).toEqual([])
  })
})
