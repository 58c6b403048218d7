import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { acceptProof } from '../../../src/core/books/acceptProof.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import {
  balanceOf,
  brokenChecks,
  check,
  closeBooks,
  ctx,
  database,
  emptyBooks,
  lock,
  openBooks,
  post,
  putBankLine,
  putBreak,
  putSettlement,
  query,
  sumOf,
  unlock,
  writeOff,
} from './ledger.ts'

beforeAll(openBooks)
afterAll(closeBooks)

const amount = fc.integer({ min: 1, max: 50_000 })
const someLines = fc.array(
  fc.record({
    kind: fc.constantFrom('sale', 'refund', 'fee', 'reserve_hold', 'dispute', 'other'),
    fee_type: fc.constantFrom(null, null, 'storage'),
    gross_minor: fc.integer({ min: -20_000, max: 50_000 }),
    fee_minor: fc.integer({ min: -100, max: 2_000 }),
  }),
  { minLength: 1, maxLength: 4 },
)
const name = fc.constantFrom('a', 'b', 'c')
const event = fc.oneof(
  fc.record({ do: fc.constant('import' as const), name, lines: someLines, day: fc.constantFrom('2026-10-31', '2026-11-15', '2026-12-01'), off: fc.constantFrom(0, 0, 7) }),
  fc.record({ do: fc.constant('fail' as const), name }),
  fc.record({ do: fc.constant('accept' as const), name }),
  fc.record({ do: fc.constant('bank' as const), name, amount, day: fc.constantFrom('2026-11-02', '2026-12-03') }),
  fc.record({ do: fc.constant('rematch' as const), name, to: fc.option(name) }),
  fc.record({ do: fc.constant('write_off' as const), name, amount }),
  fc.record({ do: fc.constant('reopen' as const) }),
  fc.record({ do: fc.constantFrom('lock' as const, 'unlock' as const), period: fc.constantFrom('2026-10', '2026-11', '2026-12') }),
  fc.record({ do: fc.constant('post' as const) }),
) // prettier-ignore
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never

/** What the test itself remembers: the last payout that was proven (or accepted), by name. */
interface Memory {
  ids: Map<string, string>
  stated: Map<string, { payout: number; failed: boolean; held: boolean; posted: number }>
}

async function play(step: Event, memory: Memory): Promise<void> {
  const { ids, stated } = memory
  switch (step.do) {
    case 'import': {
      const payout_minor = sumOf(step.lines) + step.off
      const held = step.off !== 0
      ids.set(step.name, await putSettlement(step.name, { lines: step.lines, day: step.day, payout_minor, proof: held ? 'held' : 'proven' })) // prettier-ignore
      return void stated.set(step.name, {
        payout: payout_minor,
        failed: false,
        held,
        posted: stated.get(step.name)?.posted ?? 0,
      })
    }
    case 'fail': {
      await query(`update settlements set status = 'failed' where external_id = $1`, [step.name])
      const known = stated.get(step.name)
      return void (known !== undefined && stated.set(step.name, { ...known, failed: true }))
    }
    case 'accept': {
      const known = stated.get(step.name)
      if (known?.held !== true) return
      await inTransaction(database.db, (tx) => acceptProof(tx, ctx.now, { id: step.name, reason: 'r', by: 'anna' }))
      return void stated.set(step.name, { ...known, held: false })
    }
    case 'bank': {
      const settlement_id = ids.get(step.name)
      return void (settlement_id !== undefined && (await putBankLine(step.amount, { settlement_id, day: step.day })))
    }
    case 'rematch': {
      const [from, to] = [ids.get(step.name) ?? null, ids.get(step.to ?? '') ?? null]
      return void (await query(
        `update bank_lines set settlement_id = $2::uuid, match_state = case when $2::uuid is null then 'unmatched' else 'matched' end
         where id = (select min(id) from bank_lines where settlement_id = $1)`,
        [from, to],
      ))
    }
    case 'write_off': {
      const settlement_id = ids.get(step.name)
      if (settlement_id !== undefined) await writeOff(await putBreak('payout_not_in_bank', -step.amount, settlement_id), step.amount) // prettier-ignore
      return
    }
    case 'reopen':
      return void (await query(`update breaks set state = 'open' where id = (select min(id) from breaks where state = 'written_off')`)) // prettier-ignore
    case 'lock':
      return void (await lock(step.period))
    case 'unlock':
      return void (await unlock(step.period))
    case 'post': {
      const [before] = await query<{ ids: string[] }>(`select coalesce(array_agg(id), '{}') as ids from journals`)
      await post()
      expect(
        await query(`select key from journals where id <> all($1) and period in (select period from period_locks)`, [
          before?.ids,
        ]),
      ).toEqual([])
      for (const known of stated.values()) if (!known.held) known.posted = known.failed ? 0 : known.payout
    }
  }
}

describe('in any order of imports, versions, bank lines, write-offs and locks', () => {
  it('the clearing account is what has not reached the bank, at the end of every month', async () => {
    await fc.assert(
      fc
        .asyncProperty(fc.array(event, { minLength: 3, maxLength: 18 }), async (events) => {
          const memory: Memory = { ids: new Map(), stated: new Map() }
          for (const step of [...events, { do: 'post' } as const]) await play(step, memory)
          expect(await brokenChecks()).toEqual([])
          for (const period of ['2026-10', '2026-11', '2026-12', '2027-02']) {
            const { ok, clearing, unposted, journals } = await check(period)
            expect({ ok, differences: clearing.filter((row) => row.difference_minor !== 0), journals: journals.unbalanced }).toEqual({ ok: true, differences: [], journals: [] }) // prettier-ignore
            expect(unposted.every(({ reason }) => reason !== 'not_posted_yet')).toBe(true)
          }
          const [bank] = await query<{ minor: number }>(`select coalesce(sum(amount_minor), 0)::bigint as minor from bank_lines where match_state = 'matched'`) // prettier-ignore
          const [lost] = await query<{ minor: number }>(`select coalesce(-sum(amount_minor), 0)::bigint as minor from breaks where state = 'written_off'`) // prettier-ignore
          const paid = [...memory.stated.values()].reduce((sum, { posted }) => sum + posted, 0)
          expect(await balanceOf('clearing:gate')).toBe(paid - (bank?.minor ?? 0) - (lost?.minor ?? 0))
        })
        .beforeEach(emptyBooks),
      { numRuns: 40 },
    )
  }, 120_000)
})
