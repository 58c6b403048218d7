import { cpus, loadavg } from 'node:os'
import type { Ground } from './ground.ts'

/** One measured figure. `ratio` is `value` over `baseline`, both measured in this run, paired by round. */
export interface Row {
  figure: string
  value: number
  unit: string
  baseline: number | null
  ratio: number | null
  /** What was promised: of the ratio where there is one, else of the value. */
  target: number | null
  met: boolean | null
  /** The value of every round, so that a reader sees how far they lie apart. */
  samples: number[]
  /** What it is compared with, and anything else that a reader has to know. */
  note: string
}

export interface BenchResult {
  bench: string
  backend: 'postgres' | 'redis'
  rows: Row[]
  rounds: number
  load_average: { start: number; end: number }
  /** Durable commits a second of one connection on one row, measured in every round: a run in which they vary twofold proves little. */
  control: { commits_per_second: number; spread: number }
  /** The invariants were recomputed from the data after every round, and nothing was sold twice. */
  audited: boolean
}

export interface BenchOptions {
  ground: Ground
  rounds: number
  size: Size
  tell: (line: string) => void
}

/** `quick`: does it still run? `usual`: the figures. `full`: with what takes minutes. */
export type Size = 'quick' | 'usual' | 'full'

export interface Bench {
  name: string
  what: string
  run: (options: BenchOptions) => Promise<Measured>
}

export interface Measured {
  rows: Row[]
  rounds: number
  control: number[]
}

const ROUNDS_MIN = 3
/** A bench that is slow on this machine stops after its smallest number of rounds, so that the whole run stays bounded. */
const BENCH_MS_MAX = 32_000

/** Runs the contestants of one round one after the other, round by round, so that a noisy minute hits all of them alike. */
export async function inRounds<T>(
  { ground, rounds, tell }: BenchOptions,
  round: (index: number) => Promise<T>,
): Promise<{ rounds: T[]; control: number[] }> {
  const end = performance.now() + BENCH_MS_MAX
  const results: T[] = []
  const control: number[] = []
  for (let index = 0; index < rounds && (index < ROUNDS_MIN || performance.now() < end); index += 1) {
    control.push(await ground.commitsPerSecond())
    tell(`round ${index + 1} of ${rounds} (load ${load()})`)
    results.push(await round(index))
  }
  return { rounds: results, control }
}

export interface RowSpec {
  figure: string
  unit: string
  samples: readonly number[]
  baseline?: readonly number[]
  target?: number | undefined
  /** Where less is better the target is an upper bound. */
  better?: 'more' | 'less'
  note: string
}

/** The median over the rounds; the ratio is the median of the ratios of each round. */
export function rowOf({ figure, unit, samples, baseline, target, better = 'more', note }: RowSpec): Row {
  const value = median(samples)
  const ratios = baseline?.map((base, index) => (samples[index] ?? 0) / base)
  const ratio = ratios === undefined ? null : median(ratios)
  const judged = ratio ?? value
  return {
    figure,
    value: rounded(value),
    unit,
    baseline: baseline === undefined ? null : rounded(median(baseline)),
    ratio: ratio === null ? null : rounded(ratio),
    target: target ?? null,
    met: target === undefined ? null : better === 'more' ? judged >= target : judged <= target,
    samples: samples.map(rounded),
    note,
  }
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which the share `q` of the samples lies; the nearest rank for tails, the middle of two for an even median. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  if (sorted.length === 0) throw new Error('there is nothing to take a quantile of')
  if (q === 0.5 && sorted.length % 2 === 0) {
    const half = sorted.length / 2
    return ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2
  }
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? 0
}

/** Four significant digits: more would be noise. */
const rounded = (value: number): number => Number(value.toPrecision(4))

/** The one-minute load average of the machine. */
export const load = (): number => rounded(loadavg()[0] ?? 0)

export const machine = (): string =>
  `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.versions.node}`
