import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { applyFacts } from '../../../src/core/apply.ts'
import type { InboundFact } from '../../../src/core/context.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { CATALOG, countFact, createWorld, orderFact, workOf, type World } from '../world.ts'

/**
 * Work for three of ten units is sent, taken on and shipped (or refused); five units arrive; a snapshot is taken. Each message comes
 * some time after what it tells of. Every order that causality allows is played, all at once on SKUs of their own.
 */
type Happening = 'sent' | 'accepted' | 'leaves' | 'told_shipped' | 'refuses' | 'told_refused' | 'taken' | 'arrives' | 'restock' | 'told_restock' // prettier-ignore

type Causes = Partial<Record<Happening, Happening>>
/** What has to come before each. */
const SHIPPING: Causes = { accepted: 'sent', leaves: 'sent', told_shipped: 'leaves', arrives: 'taken', told_restock: 'restock' } // prettier-ignore
const REFUSING: Causes = { refuses: 'sent', told_refused: 'refuses', arrives: 'taken', told_restock: 'restock' }

function orders(left: readonly Happening[], causes: Causes, done: readonly Happening[] = []): Happening[][] {
  if (left.length === 0) return [[...done]]
  return left
    .filter((next) => causes[next] === undefined || done.includes(causes[next]))
    .flatMap((next) =>
      orders(
        left.filter((other) => other !== next),
        causes,
        [...done, next],
      ),
    )
}

const BEFORE = 10
const ORDERED = 3
const RESTOCKED = 5

interface Story {
  sku: string
  steps: Happening[]
  number: string
  shelf: number
  /** What the 3PL's own system has promised to our work. */
  promised: number
  at: Partial<Record<Happening, number>>
  reported: number
}

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.drop())

function play(story: Story, step: Happening, basis: 'on_hand' | 'available'): Fact | null {
  const when = (happening: Happening): string => world.at(story.at[happening] ?? 0).toISOString()
  switch (step) {
    case 'sent':
      story.promised = ORDERED
      return null
    case 'leaves':
      story.shelf -= ORDERED
      story.promised = 0
      return null
    case 'refuses':
      story.promised = 0
      return null
    case 'restock':
      story.shelf += RESTOCKED
      return null
    case 'taken':
      story.reported = basis === 'on_hand' ? story.shelf : story.shelf - story.promised
      return null
    case 'arrives':
      return countFact(world, 'S1', story.at['taken'] ?? 0, { [story.sku]: story.reported })
    case 'accepted':
    case 'told_refused': {
      const verdict = step === 'accepted' ? 'accepted' : 'rejected'
      const at = when(step === 'accepted' ? 'accepted' : 'refuses')
      return { kind: 'acknowledgement', document: { fulfillment_order: story.number, verdict, reason: null, at } }
    }
    case 'told_shipped':
      return {
        kind: 'shipment',
        document: {
          external_id: `S-${story.sku}`,
          fulfillment_order: story.number,
          shipped_at: when('leaves'),
          carrier: null,
          tracking_number: null,
          tracking_url: null,
          lines: [{ sku: story.sku, quantity: ORDERED, line_reference: null, lot: null }],
        },
      }
    case 'told_restock':
      return {
        kind: 'stock_change',
        document: {
          external_id: `R-${story.sku}`,
          location_code: 'S1',
          sku: story.sku,
          delta: RESTOCKED,
          reason: 'received',
          reference: null,
          at: when('restock'),
        },
      }
  }
}

async function tell(facts: readonly Fact[], connection_id: string): Promise<void> {
  const inbound = facts.map((fact, index): InboundFact => ({ connection_id, source: `inbox:${index}`, fact }))
  const { outcomes } = await inTransaction(world.db, (tx) => applyFacts(tx, world.ctx, inbound))
  expect(outcomes.filter((outcome) => outcome.kind === 'parked')).toEqual([])
}

async function playAll(name: string, basis: 'on_hand' | 'available', all: readonly Happening[][]): Promise<Story[]> {
  const stories = all.map((steps, index): Story => ({
    sku: `${name}-${index}`,
    steps,
    number: '',
    shelf: BEFORE,
    promised: 0,
    at: {},
    reported: 0,
  }))
  const items = stories.map(({ sku }) => ({ company_id: 'acme', sku, name: null, barcode: null }))
  const locations = CATALOG.locations.map((location) => ({ ...location, count_basis: basis }))
  await world.sync({ locations, items: [...CATALOG.items, ...items] })
  world.policy('shop', { serves_from: ['south'] })
  const start = world.ctx.now.getTime()
  const minute = Math.round((start - world.at(0).getTime()) / 60_000) + 10
  world.moveTo(minute)
  await tell([countFact(world, 'S1', minute - 1, Object.fromEntries(stories.map(({ sku }) => [sku, BEFORE])))], 'wms')
  await tell(
    stories.map(({ sku }) => orderFact(world, sku, [{ sku, quantity: ORDERED }])),
    'shop',
  )
  const numbers = await world.db.query<{ external_id: string; number: string }>(
    'select o.external_id, f.number from fulfillment_orders f join orders o on o.id = f.order_id',
  )
  const numberOf = new Map(numbers.map((row) => [row.external_id, row.number]))
  for (const story of stories) story.number = numberOf.get(story.sku) ?? ''
  for (const position of all[0]?.keys() ?? []) {
    world.moveTo(minute + 10 + position)
    const sent = stories.filter(({ steps }) => steps[position] === 'sent')
    await world.db.query(`update outbox set state = 'done', attempts = 1, done_at = $2 where key = any($1::text[])`, [
      sent.map(({ number }) => `fulfillment.new:${number}`),
      world.ctx.now,
    ])
    const facts = stories.flatMap((story) => {
      const step = story.steps[position]
      if (step === undefined) return []
      story.at[step] = minute + 10 + position
      return play(story, step, basis) ?? []
    })
    await tell(facts, 'wms')
    await expectNothingOversold(stories)
  }
  return stories
}

interface Ending {
  sku: string
  on_hand: number
  available: number
  committed: number
}

async function endingsOf(stories: readonly Story[]): Promise<Map<string, Ending>> {
  const rows = await world.db.query<Ending>(
    `select i.sku, s.on_hand, s.available, s.committed from stock s join items i on i.id = s.item_id
     where s.location_id = 'south' and i.sku = any($1::text[])`,
    [stories.map(({ sku }) => sku)],
  )
  return new Map(rows.map((row) => [row.sku, row]))
}

/** At no moment may more be sold than the shelf holds beyond what is still to be packed there. */
async function expectNothingOversold(stories: readonly Story[]): Promise<void> {
  const endings = await endingsOf(stories)
  const oversold = stories.flatMap((story) => {
    const owed = story.at.leaves === undefined && story.at.refuses === undefined ? ORDERED : 0
    const { available = 0 } = endings.get(story.sku) ?? {}
    return available > story.shelf - owed ? [`${story.steps.join(' ')}: ${available} of ${story.shelf - owed}`] : []
  })
  expect(oversold).toEqual([])
}

async function expectTruth(stories: readonly Story[]): Promise<void> {
  const endings = await endingsOf(stories)
  const wrong = stories.flatMap((story) => {
    const { on_hand = -1, available = -1, committed = -1 } = endings.get(story.sku) ?? {}
    const right = on_hand === story.shelf && available === story.shelf && committed === 0
    return right ? [] : [`${story.steps.join(' ')}: shelf ${story.shelf}, on hand ${on_hand}, available ${available}`]
  })
  expect(wrong).toEqual([])
  expect((await verify(world.db)).checks.filter((check) => check.violations > 0)).toEqual([])
}

describe('a snapshot, and all that may happen around it', () => {
  const shipped = orders(['sent', 'accepted', 'leaves', 'told_shipped', 'taken', 'arrives', 'restock', 'told_restock'], SHIPPING) // prettier-ignore
  const refused = orders(['sent', 'refuses', 'told_refused', 'taken', 'arrives', 'restock', 'told_restock'], REFUSING)

  it('is played in every order', () => {
    expect(shipped).toHaveLength(1260)
    expect(refused).toHaveLength(210)
    expect(new Set(shipped.map((steps) => steps.join())).size).toBe(1260)
  })

  it.each(['on_hand', 'available'] as const)(
    'counts no unit twice and forgets none when work ships: %s',
    async (basis) => {
      await expectTruth(await playAll(`ship-${basis}`, basis, shipped))
    },
    240_000,
  )

  it.each(['on_hand', 'available'] as const)(
    'counts no unit twice and forgets none when work is refused: %s',
    async (basis) => {
      await expectTruth(await playAll(`refuse-${basis}`, basis, refused))
    },
    120_000,
  )

  it('shows the same number on both bases while the 3PL is still packing', async () => {
    world.policy('shop', { serves_from: ['south'] })
    for (const basis of ['on_hand', 'available'] as const) {
      const [story] = await playAll(`packing-${basis}`, basis, [['sent', 'taken', 'arrives']])
      expect(story?.reported).toBe(basis === 'on_hand' ? BEFORE : BEFORE - ORDERED)
      expect(await world.stock(`packing-${basis}-0`, 'south')).toMatchObject({
        on_hand: 10,
        available: 7,
        committed: 3,
      })
      expect(await workOf(world, `packing-${basis}-0`)).toMatchObject([{ state: 'OPEN' }])
    }
  })

  it('takes a count by hand for one of the whole shelf, whatever the place sends', async () => {
    const [story] = await playAll('byhand-available', 'available', [['sent', 'leaves']])
    const [item] = await world.db.query<{ id: number }>('select id from items where sku = $1', [story!.sku])
    const minute = Math.round((world.ctx.now.getTime() - world.at(0).getTime()) / 60_000) + 5
    world.moveTo(minute)
    const { postCounts } = await import('../../../src/core/inventory/counts.ts')
    await inTransaction(world.db, (tx) =>
      postCounts(tx, world.ctx, [
        {
          index: 0,
          basis: 'on_hand',
          item_id: item!.id,
          location_id: 'south',
          source: 'cycle_count:1',
          as_of: world.ctx.now,
          on_hand: story!.shelf,
          damaged: 0,
          quality_control: 0,
        },
      ]),
    )
    world.moveTo(minute + 1)
    await tell([play(story!, 'told_shipped', 'available')!], 'wms')
    expect(await world.stock(story!.sku, 'south')).toMatchObject({ on_hand: 7, available: 7, committed: 0 })
    expect((await verify(world.db)).ok).toBe(true)
  })
})
