import { parseArgs } from 'node:util'
import { bare } from './bare.ts'
import { drain } from './drain.ts'
import { endToEnd } from './endToEnd.ts'
import { ingest } from './ingest.ts'
import { jobsPerOrder } from './jobsPerOrder.ts'
import { load, machine, median, type Bench, type BenchOptions, type BenchResult, type Row } from './kit/figures.ts'
import { openGround } from './kit/ground.ts'
import { match } from './match.ts'
import { memory } from './memory.ts'
import { pushRatio } from './pushRatio.ts'
import { reserve } from './reserve.ts'
import { rush } from './rush.ts'
import { saleToPush, saleToPush200 } from './saleToPush.ts'
import { simulate } from './simulate.ts'
import { skuGrowth } from './skuGrowth.ts'

const BENCHES: readonly Bench[] = [
  bare, ingest, drain, endToEnd, saleToPush, saleToPush200, pushRatio, jobsPerOrder, reserve, rush, skuGrowth, memory, simulate, match,
] // prettier-ignore
const ROUNDS = 5

const USAGE = `npm run bench [-- name …] [--rounds ${ROUNDS}] [--quick | --full] [--json] [--dir folder on a real disk]

${BENCHES.map(({ name, what }) => `  ${name.padEnd(16)}${what}`).join('\n')}

--quick: small sizes, to see that everything runs; its figures mean little. --full: also what takes minutes (a million orders
in the inbox of a worker).

REDIS_URL set: the queues live in that Redis. Use one that holds nothing else.`

async function runBench(bench: Bench, options: BenchOptions): Promise<BenchResult> {
  const start = load()
  const { rows, rounds, control } = await bench.run(options)
  return {
    bench: bench.name,
    backend: options.ground.backend,
    rows,
    rounds,
    load_average: { start, end: load() },
    control: {
      commits_per_second: Math.round(median(control)),
      spread: Math.round((Math.max(...control) / Math.min(...control)) * 100) / 100,
    },
    audited: true,
  }
}

function table({ bench, backend, rows, rounds, load_average, control }: BenchResult): string {
  const head = ['figure', 'value', 'unit', 'baseline', 'ratio', 'target', '']
  const body = rows.map((row) =>
    [row.figure, row.value, row.unit, row.baseline ?? '', row.ratio ?? '', row.target ?? '', verdict(row)].map(String),
  )
  const widths = head.map((name, column) => Math.max(name.length, ...body.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()
  return [
    '',
    `${bench} (${backend}, median of ${rounds} rounds, load ${load_average.start} → ${load_average.end}, ${control.commits_per_second} commits/s ± ${control.spread}×)`,
    line(head),
    ...body.map(line),
    ...rows.map((row) => `  ${row.figure}: ${row.note}`),
  ].join('\n')
}

const verdict = ({ met }: Row): string => (met === null ? '' : met ? 'met' : 'MISSED')

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string', default: String(ROUNDS) },
      dir: { type: 'string' },
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const chosen = positionals.length === 0 ? BENCHES : BENCHES.filter(({ name }) => positionals.includes(name))
  const rounds = Number(values.rounds)
  const size = values.quick ? 'quick' : values.full ? 'full' : 'usual'
  if (values.help || chosen.length < new Set(positionals).size || !Number.isInteger(rounds) || rounds < 3) {
    console.error(USAGE)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const tell = (line: string): void => console.error(line)
  tell(machine())
  const ground = await openGround({ redis_url: process.env['REDIS_URL'] ?? '', dir: values.dir })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Without this the private database server would live on.
    process.once(signal, () => void ground.close().finally(() => process.exit(1)))
  }
  const results: BenchResult[] = []
  try {
    for (const bench of chosen) {
      tell(`${bench.name}: ${bench.what}`)
      const result = await runBench(bench, { ground, rounds, size, tell: (line) => tell(`  ${line}`) })
      results.push(result)
      console.log(values.json ? JSON.stringify(result) : table(result))
    }
  } finally {
    await ground.close()
  }
  if (values.json && results.length > 1) console.log(JSON.stringify({ benches: results }))
}

await main()
