import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startSftpServer } from '../sftpServer.ts'
import { openJournal, type Faults } from '../simulator.ts'
import type { ThreePl, ThreePlOptions } from '../threepl.ts'
import { book, emptyLedger, freeUnits, type Dispatch, type Event, type Ledger, type Parcel, type Units, type Work, type WorkLine } from '../threeplLedger.ts' // prettier-ignore
import { answerAll, type Order } from '../threeplOrders.ts'
import { statement } from '../threeplStatement.ts'
import { readFile, writeFile, type Parties, type ReadFile, type ReadSet } from './codec.ts'
import { acknowledgementOf, adjustment, emptyAdvice, inventory, orderOf, parcelAdvice, receipt } from './messages.ts'

export interface EdiHouseOptions extends Omit<ThreePlOptions, 'partner'> {
  parties: Parties
  /** Share of its rounds of counting in which a unit is found broken, or again. */
  adjust_share?: number
}

const FOLDERS = ['outgoing', 'archive', 'incoming', 'processed', 'error'] as const
const SPLIT_SHARE = 0.15
const SHORT_SHARE = 0.02
const ADJUST_SHARE = 0.3
const PARCELS_PER_FILE_MAX = 50
/** Every so many counts name everything; those between only what moved. */
const FULL_EVERY = 4
/** A unit is given up only where so many lie that nobody is waiting for it. */
const PLENTY = 50
/** X12 times are good to the hundredth of a second, so no two things happen in one. */
const TICK_MS = 10
/** An acknowledgement may take several times as long as a report. */
const LATE_FACTOR = 5
/** Numbers that one message may use up. */
const NUMBERS_MAX = 2
/** How much later a wrong report is put right. */
const CORRECTED_MS = 200

interface House {
  readonly options: EdiHouseOptions
  readonly ledger: Ledger
  faults: Faults
  /** What the last count showed; nothing after a start, so that the first one is full. */
  shown: Map<string, number>
  counts: number
  note: (event: Event) => void
}

/**
 * A warehouse that speaks X12: takes 940 and 943, answers 997, ships with 945, counts with 846 (everything, and what changed between),
 * reports goods received with 944 and what broke with 947. Sometimes it acknowledges late, sends an interchange twice, or miscounts one
 * and sends it again. Everything it does is in its journal before it shows in the folder.
 */
export async function startEdiHouse(options: EdiHouseOptions): Promise<ThreePl> {
  for (const folder of FOLDERS) mkdirSync(join(options.root, folder), { recursive: true })
  const journal = openJournal<Event>(options.journal_path)
  const ledger = emptyLedger()
  for (const event of journal.events()) book(ledger, event)
  const house: House = {
    options,
    ledger,
    faults: options.faults,
    shown: new Map(),
    counts: 0,
    note: (event) => {
      journal.append(event)
      book(ledger, event)
    },
  }
  if (!ledger.opened) house.note({ kind: 'opened', stock: { ...options.stock } })
  skipWritten(house)
  cutCount(house, 'full')
  const { root, port } = options
  const sftp = options.sftp === undefined ? null : await startSftpServer({ root, port, ...options.sftp })
  const timer = setInterval(() => round(house), options.poll_ms)
  let stopping: Promise<void> | undefined
  const close = async (): Promise<void> => {
    clearInterval(timer)
    await sftp?.stop()
    journal.close()
  }
  round(house)
  const transport = sftp === null ? { kind: 'folder', root } : { kind: 'sftp', ...sftp.settings }
  // What is `us` to the house is `them` to the hub.
  const { us: them, them: us } = options.parties
  return {
    url: sftp === null ? `file://${root}` : `sftp://127.0.0.1:${sftp.settings.port}`,
    settings: { transport, us, them, location_code: options.location_code },
    sftp,
    setWebhookUrl: () => undefined,
    setFaults: (faults) => void (house.faults = faults),
    busy: () =>
      ledger.waiting.size > 0 ||
      incoming(house).length > 0 ||
      [...ledger.work.values()].some(({ state }) => state === 'accepted'),
    ledger: () => statement(ledger, new Set()),
    receive: (lines, reference = '') => arrive(house, lines, reference),
    count: () => cutCount(house, 'full'),
    unread: () =>
      readdirSync(join(root, 'incoming'), { recursive: true, encoding: 'utf8' }).some((name) => name.endsWith('.edi')),
    stop: () => (stopping ??= close()),
  }
}

/** One round. Every step is synchronous, so that a round is never half done for any other reason than death. */
function round(house: House): void {
  for (const name of incoming(house)) take(house, name)
  ship(house)
  const { snapshot_every_ms, now } = house.options
  if (now().getTime() - house.ledger.last_count_ms >= snapshot_every_ms) {
    adjust(house)
    cutCount(house, house.counts % FULL_EVERY === 0 ? 'full' : 'changed')
  }
  writeDue(house)
}

/** What the depositor wrote: in his words outgoing. */
const incoming = ({ options }: House): string[] =>
  readdirSync(join(options.root, 'outgoing'))
    .filter((name) => /^(940|943|997|ta1)_\w+\.edi$/.test(name))
    .toSorted((a, b) => (a.slice(4) < b.slice(4) ? -1 : 1))

function take(house: House, name: string): void {
  const { options, ledger } = house
  const [here, archived] = [join(options.root, 'outgoing', name), join(options.root, 'archive', name)]
  if (!ledger.files.has(name) || existsSync(archived)) read(house, name, readFile(readFileSync(here, 'utf8')))
  renameSync(here, archived)
}

function read(house: House, name: string, file: ReadFile): void {
  const kind = name.slice(0, 3)
  if (file.fault !== null || file.sender !== house.options.parties.them.id)
    return house.note({ kind: 'refused_file', file: name })
  if (kind === '997' || kind === 'ta1') return readAnswers(house, name, file)
  const at_ms = tick(house)
  const orders = kind === '940' ? file.sets.flatMap((set) => orderIn(set) ?? []) : []
  const answers = answerAll(house.ledger, house.options, orders)
  const refused = answers.filter(({ verdict, lines }) => verdict !== 'accepted' && lines.length > 0)
  const empty = refused.map(({ verdict, ...order }) =>
    emptyAdvice(order, verdict === 'cancelled' ? 'cancelled' : 'rejected', at_ms, house.options.location_code),
  )
  const control = nextControl(house)
  const late_ms = Math.floor(house.options.random() * house.faults.webhook_delay_ms_max * LATE_FACTOR)
  const acknowledged = dispatch(
    house,
    { id: '997', at_ms, sets: [acknowledgementOf(file, isSound)], not_before_ms: at_ms + late_ms },
    control,
  )
  const advised = empty.length === 0 ? [] : dispatch(house, { id: '945', at_ms, sets: empty }, control + NUMBERS_MAX)
  house.note({
    kind: 'received',
    file: name,
    at_ms,
    due_ms: at_ms + house.options.pick_ms,
    answers,
    dispatches: [...acknowledged, ...advised],
  })
}

const isSound = (set: ReadSet): boolean => set.whole && (set.id !== '940' || orderOf(set) !== undefined)
const orderIn = (set: ReadSet): Order | undefined => (set.whole ? orderOf(set) : undefined)

function readAnswers(house: House, name: string, file: ReadFile): void {
  const words = file.sets.flatMap(({ segments }) => segments.filter(([id]) => id === 'AK5').map(([, status]) => status))
  const rejected = words.filter((status) => status === 'R').length
  house.note({ kind: 'ack_read', name, accepted: words.length - rejected, rejected })
}

// ── parcels go out ────────────────────────────────────────────────────────────────────────────────────────────────────────

function ship(house: House): void {
  const { ledger, options } = house
  const now_ms = options.now().getTime()
  const due = [...ledger.work.values()]
    .filter((work) => work.state === 'accepted' && work.due_ms <= now_ms)
    .slice(0, PARCELS_PER_FILE_MAX)
  if (due.length === 0) return
  const at_ms = tick(house)
  const packed = due.map((work, index) => ({
    work,
    parcel: pack(house, work, ledger.parcels.length + index + 1, at_ms),
  }))
  const sets = packed.map(({ work, parcel }) => parcelAdvice(parcel, work, options.location_code))
  const dispatches = dispatch(house, { id: '945', at_ms, sets }, nextControl(house))
  const parcels = packed.map(({ parcel }) => parcel)
  house.note({ kind: 'shipped', at_ms, next_due_ms: at_ms + options.pick_ms, parcels, dispatches })
  for (const { tracking_number } of parcels) options.handOver?.(tracking_number)
}

function pack({ options }: House, work: Work, number: number, at_ms: number): Parcel {
  const chance = options.random()
  const total = units(work.remaining)
  const split = work.parcels === 0 && total > 1 && chance < (options.split_share ?? SPLIT_SHARE)
  const short = !split && total > 1 && chance >= 1 - (options.short_share ?? SHORT_SHARE)
  const missing = work.remaining.at(-1)
  return {
    shipment_id: `EDI${String(number).padStart(7, '0')}`,
    fulfillment_order: work.fulfillment_order,
    tracking_number: `${options.tracking ?? 'PE'}${String(number).padStart(10, '0')}`,
    carrier: 'PARCEL POST',
    shipped_at: new Date(at_ms).toISOString(),
    lines: part(work.remaining, split ? Math.ceil(total / 2) : short ? total - 1 : total),
    lost: short && missing !== undefined ? [{ sku: missing.sku, quantity: 1 }] : [],
    last: !split,
  }
}

function part(lines: readonly WorkLine[], count: number): WorkLine[] {
  let left = count
  return lines.flatMap((line) => {
    const quantity = Math.min(left, line.quantity)
    left -= quantity
    return quantity > 0 ? [{ ...line, quantity }] : []
  })
}

// ── counts, arrivals, corrections ─────────────────────────────────────────────────────────────────────────────────────────

function cutCount(house: House, extent: 'full' | 'changed'): void {
  const { ledger, options, faults } = house
  const at_ms = tick(house)
  house.counts += 1
  const stock = [...ledger.on_hand]
    .map(([sku, quantity]) => ({ sku, quantity }))
    .toSorted((a, b) => (a.sku < b.sku ? -1 : 1))
  const told = extent === 'full' ? stock : stock.filter(({ sku, quantity }) => house.shown.get(sku) !== quantity)
  house.shown = new Map(ledger.on_hand)
  const late_ms = Math.floor(options.random() * faults.webhook_delay_ms_max)
  const sets = told.length === 0 ? [] : [inventory(extent === 'full' ? '00' : '04', told, at_ms, options.location_code)]
  const dispatches =
    sets.length === 0
      ? []
      : dispatch(house, { id: '846', at_ms, sets, not_before_ms: at_ms + late_ms }, nextControl(house))
  house.note({ kind: 'counted', at_ms, dispatches })
}

function arrive(house: House, lines: readonly Units[], reference: string): void {
  const at_ms = tick(house)
  const set = receipt(`R${house.ledger.arrivals.length + 1}`, reference, lines, at_ms, house.options.location_code)
  const dispatches = dispatch(house, { id: '944', at_ms, sets: [set] }, nextControl(house))
  house.note({ kind: 'arrived', at_ms, lines: [...lines], reference, dispatches })
}

/** Now and then a unit breaks or turns up, where plenty lie: while people move things, and not in a house at rest that is being judged. */
function adjust(house: House): void {
  const { options, ledger } = house
  if ([...ledger.on_hand].every(([sku, quantity]) => house.shown.get(sku) === quantity)) return
  if (options.random() >= (options.adjust_share ?? ADJUST_SHARE)) return
  const free = [...freeUnits(ledger)].filter(([, count]) => count >= PLENTY)
  const chosen = free[Math.floor(options.random() * free.length)]
  if (chosen === undefined) return
  const at_ms = tick(house)
  const lines = [{ sku: chosen[0], quantity: options.random() < 0.5 ? -1 : 1 }]
  const set = adjustment(`ADJ${at_ms}`, lines, at_ms, options.location_code)
  const dispatches = dispatch(house, { id: '947', at_ms, sets: [set] }, nextControl(house))
  house.note({ kind: 'adjusted', at_ms, lines, dispatches })
}

// ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Message {
  id: string
  at_ms: number
  sets: readonly string[][]
  not_before_ms?: number
}

/** The next interchange number: what the journal names last. */
const nextControl = ({ ledger }: House): number => (ledger.sequences.get('edi') ?? 0) + 1

/** The file for the depositor; with the faults on sometimes twice, or first with a wrong count and then right, under the next number. */
function dispatch(house: House, { id, at_ms, sets, not_before_ms = at_ms }: Message, control: number): Dispatch[] {
  const { options, faults } = house
  const file = (number: number, text: string, due_ms: number, copy = ''): Dispatch => ({
    name: `edi_${String(number).padStart(9, '0')}_${id}${copy}.edi`,
    text,
    not_before_ms: due_ms,
  })
  const message = (number: number): { id: string; control: number; at_ms: number; sets: readonly string[][] } => ({
    id,
    control: number,
    at_ms,
    sets,
  })
  if (options.random() < faults.fail_share) {
    const wrong = file(control, writeFile(options.parties, message(control), 1), not_before_ms)
    return [
      { ...wrong, wrong: true },
      file(control + 1, writeFile(options.parties, message(control + 1)), not_before_ms + CORRECTED_MS),
    ]
  }
  const text = writeFile(options.parties, message(control))
  const twice = options.random() < faults.webhook_duplicate_share
  return [file(control, text, not_before_ms), ...(twice ? [file(control, text, not_before_ms, '_again')] : [])]
}

function writeDue({ ledger, options, note }: House): void {
  const now_ms = options.now().getTime()
  for (const { name, text, not_before_ms } of ledger.waiting.values()) {
    if (not_before_ms > now_ms) continue
    const temporary = join(options.root, 'incoming', `.${name}.tmp`)
    writeFileSync(temporary, text)
    renameSync(temporary, join(options.root, 'incoming', name))
    note({ kind: 'wrote', name })
  }
}

/** After a crash: what already lies with the hub, in whichever of its folders, is not written again. */
function skipWritten({ ledger, options, note }: House): void {
  const names = readdirSync(options.root, { recursive: true, encoding: 'utf8' })
  const there = new Set(names.map((path) => path.split(/[/\\]/).at(-1)))
  for (const name of ledger.waiting.keys()) if (there.has(name)) note({ kind: 'wrote', name })
}

function tick({ ledger, options }: House): number {
  const now_ms = Math.floor(options.now().getTime() / TICK_MS) * TICK_MS
  return Math.max(now_ms, (Math.floor(ledger.last_ms / TICK_MS) + 1) * TICK_MS)
}

const units = (lines: readonly Units[]): number => lines.reduce((sum, { quantity }) => sum + quantity, 0)
