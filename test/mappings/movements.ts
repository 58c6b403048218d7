import fc from 'fast-check'
import { expect } from 'vitest'
import { bytesOfBuffer, readSettlementFile } from '../../src/connectors/_kit/settlementFile.ts'
import { decimalFromMinor } from '../../src/core/model/money.ts'
import type { SettlementLine } from '../../src/core/model/settlement.ts'
import { settlementTotals, type FileProof } from '../../src/core/settlement/rulesProof.ts'
import type { SettlementFormat } from '../../src/mappings/settlement.ts'

/** What moves money, in the merchant's words, before a vendor writes it down in its own. */
export interface Movement {
  what:
    | 'sale'
    | 'tax'
    | 'shipping'
    | 'refund'
    | 'commission'
    | 'fee'
    | 'fee_returned'
    | 'dispute'
    | 'reserve_hold'
    | 'reserve_release'
  order: string
  /** As it changes the merchant's balance. */
  net_minor: number
}

const INCOME = ['sale', 'tax', 'shipping', 'fee_returned', 'reserve_release'] as const
const OUTGO = ['refund', 'commission', 'fee', 'dispute', 'reserve_hold'] as const
const WITHOUT_ORDER: ReadonlySet<Movement['what']> = new Set(['reserve_hold', 'reserve_release'])

/** Orders with their captures split and merged at will: a sale of an order may come in several rows, and orders may share amounts. */
export const movements = (words: readonly Movement['what'][]): fc.Arbitrary<Movement[]> => {
  const income = INCOME.filter((word) => words.includes(word))
  const outgo = OUTGO.filter((word) => words.includes(word))
  const amount = fc.integer({ min: 1, max: 5_000_000 })
  const order = fc.integer({ min: 1, max: 9 }).map((number) => `ORD-${number}`)
  const one = fc.oneof(
    fc.record({ what: fc.constantFrom(...income), order, net_minor: amount }),
    fc.record({ what: fc.constantFrom(...outgo), order, net_minor: amount.map((minor) => -minor) }),
  )
  return fc
    .array(one, { minLength: 1, maxLength: 25 })
    .map((all) => all.map((movement) => (WITHOUT_ORDER.has(movement.what) ? { ...movement, order: '' } : movement)))
}

export const total = (all: readonly Movement[]): number => all.reduce((sum, { net_minor }) => sum + net_minor, 0)

/** A decimal text as a country writes it. */
export function written(minor: number, currency: string, mark: '.' | ','): string {
  const text = decimalFromMinor(minor, currency)
  return mark === '.' ? text : text.replace('.', ',')
}

export interface ReadBack {
  lines: SettlementLine[]
  proof: FileProof
}

export async function readBack(
  format: SettlementFormat,
  content: string,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<ReadBack> {
  const totals = settlementTotals()
  const lines: SettlementLine[] = []
  await readSettlementFile(
    bytesOfBuffer(Buffer.from(content)),
    { label: format.label, formats: [format], settings },
    {
      ...totals,
      line: (id, line) => {
        lines.push(line)
        totals.line(id, line)
      },
    },
  )
  return { lines, proof: totals.result() }
}

type Told = readonly [kind: string, net: number, order: string]
const sorted = (all: Told[]): string[] => all.map((told) => told.join('|')).toSorted()

/** The lines are the movements, kind by kind and to the unit, and the payout explains itself. */
export function expectSame({ lines, proof }: ReadBack, all: readonly Movement[]): void {
  expect(sorted(lines.map((line) => [line.kind, line.net_minor, line.references.order_external_id ?? '']))).toEqual(
    sorted(all.map(({ what, net_minor, order }) => [what, net_minor, order])),
  )
  expect(proof.faults).toEqual([])
  expect(proof.settlements).toMatchObject([
    { difference_minor: 0, sum_minor: total(all), payout_minor: total(all), lines: all.length, faults: [] },
  ])
}

/** What goes wrong with a file on its way. Each changes what the rows come to, and leaves the stated payout alone. */
const DAMAGES: Readonly<Record<string, (all: readonly Movement[], at: number) => Movement[]>> = {
  'one altered cent': (all, at) =>
    all.map((one, index) => (index === at ? { ...one, net_minor: one.net_minor + 1 } : one)),
  'a dropped row': (all, at) => all.filter((_, index) => index !== at),
  'a doubled row': (all, at) => all.flatMap((one, index) => (index === at ? [one, one] : [one])),
  'a shifted sign': (all, at) => all.map((one, index) => (index === at ? { ...one, net_minor: -one.net_minor } : one)),
}

export const faultKinds = ({ proof }: ReadBack): string[] => [
  ...proof.faults.map(({ kind }) => kind),
  ...proof.settlements.flatMap(({ faults }) => faults.map(({ kind }) => kind)),
]

/** Renders every damage and expects the difference it makes, by name. */
export async function expectFound(
  read: (damaged: readonly Movement[]) => Promise<ReadBack>,
  all: readonly Movement[],
  at: number,
): Promise<void> {
  for (const [name, damage] of Object.entries(DAMAGES)) {
    const damaged = damage(all, at % all.length)
    if (damaged.some(({ net_minor }) => net_minor === 0)) continue
    const back = await read(damaged)
    expect(faultKinds(back), name).toContain('payout_identity')
    expect(back.proof.settlements[0]?.difference_minor, name).toBe(total(all) - total(damaged))
  }
}
