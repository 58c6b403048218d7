import { matchOpenLines } from '../src/core/matching/matchLines.ts'
import { loadOpenItems } from '../src/core/matching/openItems.ts'
import { openDb, type Db } from '../src/db/pool.ts'
import { inTransaction } from '../src/db/transaction.ts'
import { rowOf, type Bench } from './kit/figures.ts'
import { COMPANY, STORE } from './kit/shop.ts'

/** As many amounts are expected as lines come. Trial runs set fewer. */
const LINES = Number(process.env['BENCH_MATCH_LINES'] ?? 1_000_000)
const NAIVE_SAMPLE = 5_000
const LINES_PER_PAYOUT = 10_000
const SECONDS_MAX = 300
const RSS_MIB_MAX = 256
const GENERATE_TIMEOUT_MS = 30 * 60_000
const NOW = new Date('2026-03-10T00:00:00Z')

/** Of every 40 lines: 32 name their payment, 4 are one capture together, 2 were paid in another currency, 2 belong to nothing. */
const CYCLE = 40
const EXACT = 32
const SPLIT = EXACT + 4
const FX = SPLIT + 2
/** Of every 40 expected: 32 + 1 + 2 have their lines, 5 are still under way. */
const EXPECTED_WITH_LINES = EXACT + 1 + 2

const GENERATE = [
  `insert into orders (id, company_id, connection_id, external_id, number, version_updated_at, version_observed_at, placed_at, currency, lifecycle,
     payment_state, total_minor, received_at, changed_at)
   select md5('order' || n)::uuid, '${COMPANY}', '${STORE}', 'O' || n, '#' || n, '2026-03-01', '2026-03-01', '2026-03-01',
     case when n % ${CYCLE} >= 33 and n % ${CYCLE} < 35 then 'GBP' else 'EUR' end, 'open', 'paid', 1000 + n % 9973, '2026-03-01', '2026-03-01'
   from generate_series(0, $1::int - 1) as n`,
  `insert into payments (connection_id, external_id, kind, status, at, currency, amount_minor, order_id, payment_ids, recorded_at)
   select '${STORE}', 'ch_' || n, 'capture', 'succeeded', '2026-03-01',
     case when n % ${CYCLE} >= 33 and n % ${CYCLE} < 35 then 'GBP' else 'EUR' end, 1000 + n % 9973, md5('order' || n)::uuid,
     array['ch_' || n, 'pi_' || n], '2026-03-01'
   from generate_series(0, $1::int - 1) as n`,
  `insert into settlements (id, connection_id, external_id, status, currency, payout_minor, gross_minor, fee_minor, net_minor, difference_minor,
     created_at, recorded_at, changed_at)
   select md5('payout' || n)::uuid, '${STORE}', 'po_' || n, 'paid', 'EUR', 0, 0, 0, 0, 0, '2026-03-05', '2026-03-05', '2026-03-05'
   from generate_series(0, ($1::int - 1) / ${LINES_PER_PAYOUT}) as n`,
  // `m` is the expected amount that the line is about: exact ones come first in a cycle, then the one that is split, then the exchanged.
  `insert into settlement_lines (settlement_id, external_id, kind, vendor_type, at, currency, gross_minor, fee_minor, net_minor, payment_ids,
     match_state, fx_currency, fx_original_minor)
   select md5('payout' || n / ${LINES_PER_PAYOUT})::uuid, 'txn_' || n, case when r >= ${EXACT + 1} and r < ${SPLIT} then 'shipping' else 'sale' end, 'charge',
     '2026-03-02', 'EUR', gross, 30, gross - 30, array['txn_' || n, case when r < ${FX} then 'ch_' || m else 'ch_none_' || n end], 'unmatched',
     case when r >= ${SPLIT} and r < ${FX} then 'GBP' end, case when r >= ${SPLIT} and r < ${FX} then amount + n % 2 end
   from (
     select n, r, m, amount, case when r < ${EXACT} then amount when r < ${EXACT + 1} then amount - 600 when r < ${SPLIT} then 200
         when r < ${FX} then amount * 117 / 100 else 777 end as gross
     from (select n, r, m, 1000 + m % 9973 as amount from (
       select n, r, n / ${CYCLE} * ${CYCLE} + case when r < ${EXACT} then r when r < ${SPLIT} then ${EXACT} else r - 3 end as m
       from (select n, n % ${CYCLE} as r from generate_series(0, $1::int - 1) as n) a) b) c) d`,
  `update settlements s set gross_minor = l.gross, fee_minor = l.fee, net_minor = l.net, payout_minor = l.net
   from (select settlement_id, sum(gross_minor) as gross, sum(fee_minor) as fee, sum(net_minor) as net from settlement_lines group by 1) l
   where l.settlement_id = s.id and $1::int > 0`,
]

async function generate(db: Db, lines: number): Promise<void> {
  for (const sql of GENERATE) await db.query(sql, [lines])
  await db.query('vacuum (analyze) orders, payments, settlements, settlement_lines')
}

interface NaiveLine {
  id: number
  currency: string
  gross_minor: number
  payment_ids: string[]
}
interface NaivePayment {
  id: number
  order_id: string
  currency: string
  amount_minor: number
}

class Undo extends Error {}

/** The usual way, with the same record of it: a line, its payment, a comparison, three writes. One transaction is kinder to it than many. */
async function naivePerSecond(db: Db, sample: number): Promise<number> {
  let seconds = 0
  try {
    await inTransaction(db, async (tx) => {
      const started = performance.now()
      const lines = await tx.query<NaiveLine>(
        'select id, currency, gross_minor, payment_ids from settlement_lines order by id limit $1',
        [sample],
      )
      for (const line of lines) {
        const [payment] = await tx.query<NaivePayment>(
          `select p.id, p.order_id, p.currency, p.amount_minor from payments p where p.external_id = any($1::text[]) and p.kind = 'capture'
             and not exists (select 1 from match_expected e where e.payment_id = p.id) limit 1`,
          [line.payment_ids],
        )
        if (payment?.currency !== line.currency || payment.amount_minor !== line.gross_minor) continue
        const [group] = await tx.query<{ id: number }>(
          `insert into match_groups (company_id, leg, rule, state, currency, difference_minor, reason, line_ids, payment_ids, order_id, made_at)
           values ('${COMPANY}', 'orders_to_lines', 'payment_exact', 'matched', $1, 0, '{}', array[$2::bigint], array[$3::bigint], $4, $5) returning id`,
          [line.currency, line.id, payment.id, payment.order_id, NOW],
        )
        await tx.query('insert into match_expected (payment_id, group_id) values ($1, $2)', [payment.id, group?.id])
        await tx.query(
          `update settlement_lines set match_state = 'matched', match_rule = 'payment_exact', match_group_id = $4, order_id = $2, payment_id = $3 where id = $1`,
          [line.id, payment.order_id, payment.id, group?.id],
        )
      }
      seconds = (performance.now() - started) / 1_000
      throw new Undo()
    })
  } catch (thrown) {
    if (!(thrown instanceof Undo)) throw thrown
  }
  return sample / seconds
}

/** Every line is judged as it was made, and every match is with the payment that it was made of. */
async function auditMatches(db: Db, lines: number): Promise<void> {
  const [row] = await db.query<Record<string, number>>(
    `select count(*) filter (where match_rule = 'payment_exact')::int as exact, count(*) filter (where match_rule = 'payment_group')::int as split,
       count(*) filter (where match_rule = 'payment_tolerance')::int as fx, count(*) filter (where match_state = 'unmatched')::int as open,
       count(*) filter (where p.id is not null and not p.external_id = any(l.payment_ids))::int as wrong
     from settlement_lines l left join payments p on p.id = l.payment_id`,
  )
  // Every second exchanged line is one unit off, which is within the tolerance.
  const cycles = lines / CYCLE
  const wanted = { exact: EXACT * cycles + cycles, split: 4 * cycles, fx: cycles, open: 2 * cycles, wrong: 0 }
  const found = { ...row, exact: row?.['exact'], fx: row?.['fx'] }
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    throw new Error(`the matcher made ${JSON.stringify(found)} of ${JSON.stringify(wanted)}`)
}

export const match: Bench = {
  name: 'match',
  what: `${LINES.toLocaleString('en')} payout lines against as many expected amounts`,
  run: async ({ ground, tell }) => {
    const { url, drop } = await ground.database()
    const db = openDb({ url, pool_max: 4, application_name: 'bench-match', statement_timeout_ms: GENERATE_TIMEOUT_MS })
    const lines = Math.max(CYCLE, Math.floor(LINES / CYCLE) * CYCLE)
    try {
      const control = [await ground.commitsPerSecond()]
      tell(
        `makes ${lines} lines and ${lines} expected amounts, ${(lines / CYCLE) * (CYCLE - EXPECTED_WITH_LINES)} of them under way`,
      )
      await generate(db, lines)
      const sample = Math.min(NAIVE_SAMPLE, lines)
      tell(`row by row over ${sample}`)
      const naive = await naivePerSecond(db, sample)
      await db.query('vacuum settlement_lines')
      tell('the engine')
      let rss = process.memoryUsage.rss()
      const before = rss
      const timer = setInterval(() => (rss = Math.max(rss, process.memoryUsage.rss())), 200)
      const started = performance.now()
      const { matched, left } = await matchOpenLines(db, NOW)
      const seconds = (performance.now() - started) / 1_000
      clearInterval(timer)
      tell(`matched ${matched}, left ${left} in ${seconds.toFixed(1)} s`)
      await auditMatches(db, lines)
      const again = performance.now()
      const rerun = await matchOpenLines(db, NOW)
      if (rerun.matched !== 0) throw new Error('the same again matched something')
      const againSeconds = (performance.now() - again) / 1_000
      const listing = performance.now()
      const open = await loadOpenItems(db, COMPANY, { before: NOW })
      const openSeconds = (performance.now() - listing) / 1_000
      const wanted = (lines / CYCLE) * (2 + CYCLE - EXPECTED_WITH_LINES)
      if (open.length !== wanted) throw new Error(`${open.length} items are open, not ${wanted}`)
      const mib = 1_048_576
      const rows = [
        rowOf({
          figure: 'match_lines',
          unit: 'lines/s',
          samples: [lines / seconds],
          baseline: [naive],
          note: `against a matcher that goes row by row and keeps the same record, in one transaction, timed on ${sample} lines of the same tables`,
        }),
        rowOf({
          figure: 'match_run',
          unit: 's',
          samples: [seconds],
          target: SECONDS_MAX,
          better: 'less',
          note: `${lines} lines: 80 % by payment id, 10 % four to a capture, 5 % exchanged (half of them within tolerance), 5 % of nothing`,
        }),
        rowOf({
          figure: 'match_again',
          unit: 's',
          samples: [againSeconds],
          note: 'the same run once more: only the open lines are looked at',
        }),
        rowOf({
          figure: 'match_open_items',
          unit: 's',
          samples: [openSeconds],
          note: 'reading what is open on either side, as breaks are made of it',
        }),
        rowOf({
          figure: 'match_rss',
          unit: 'MiB more',
          samples: [(rss - before) / mib],
          target: RSS_MIB_MAX,
          better: 'less',
          note: 'most memory of this process during the run, above what it had before',
        }),
      ]
      return { rows, rounds: 1, control }
    } finally {
      await db.close()
      await drop()
    }
  },
}
