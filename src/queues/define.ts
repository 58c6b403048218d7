import type { Static, TSchema } from 'typebox'
import type { Hub } from '../hub.ts'

/** Queues are named for people: they are what an operator sees on the board. */
export const QUEUES = {
  intake: 'drains the inbox of one connection',
  pull: 'asks a vendor for what is new',
  files: 'reads the incoming folder of a file connection',
  availability: 'tells a channel what may be sold',
  fulfillment: 'sends work to a 3PL',
  shipment: 'tells a channel what was shipped',
  label: 'asks carriers for rates, buys and voids labels',
  partner: 'answers orders, announces goods, sends invoices',
  erp: 'keeps the ERP in step',
  settlement: 'matches payouts',
  notify: 'tells people',
  maintenance: 'sweeps, re-drives, expires',
  'dead-letter': 'what needs a person',
} as const
export type QueueName = keyof typeof QUEUES

/** What a job can tell the person who looks at it. */
export interface JobReporter {
  log: (line: string) => void
  progress: (percent: number) => void
  /** Aborted on time-out or shutdown: stop at the next safe point, the rest is re-driven. */
  signal: AbortSignal
}

/** A job is a literal. Its data are ids only: state is read when it runs, never shipped in the payload. */
export interface Job<S extends TSchema = TSchema> {
  name: string
  queue: QueueName
  data: S
  timeout_ms: number
  /** At most this many of the queue's jobs run at once in one process. */
  concurrency: number
  /** How long it waits, at most, for the process to have breath to spare; left out: it is urgent. */
  patience_ms?: (hub: Hub, data: Static<S>) => number
  /** Returns the sentence the board shows: "drained 238 orders of webstore-eu, 2 parked". */
  run: (hub: Hub, data: Static<S>, reporter: JobReporter) => Promise<string>
  /**
   * Called once the queue has recorded the job's end and its coalescing key is free again. A wake-up that was swallowed because this
   * job was still running is found here: look whether work is due, and wake again.
   */
  after?: (hub: Hub, data: Static<S>) => Promise<void>
}

export const defineJob = <S extends TSchema>(job: Job<S>): Job => job

export interface AddOptions {
  /** While a job with this key waits or runs, another is not added. A hint only: nothing is lost when it fails. */
  coalesce_key?: string
  delay_ms?: number
  /** A job with this id is kept once. Letters, digits, `-` and `_`; never only digits. */
  job_id?: string
}

/** The narrow door to BullMQ (queues/bull.ts): what the hub uses of it, and nothing else. */
export interface Queues {
  readonly backend: 'postgres' | 'redis'
  add: (queue: QueueName, name: string, data: object, options?: AddOptions) => Promise<void>
  addMany: (queue: QueueName, jobs: readonly { name: string; data: object; options?: AddOptions }[]) => Promise<void>
  /** Creates or corrects a repeating job; safe to call again and again. */
  schedule: (queue: QueueName, name: string, key: string, every_ms: number, data: object) => Promise<void>
  /** Takes jobs off that wait, are delayed or have ended; ids that are not there are passed over. */
  remove: (queue: QueueName, jobIds: readonly string[]) => Promise<void>
  counts: () => Promise<Record<QueueName, Record<string, number>>>
  close: () => Promise<void>
}
