import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { stringify } from 'csv-stringify/sync'
import { startSftpServer, type SftpServer } from './sftpServer.ts'
import { openJournal, type Faults, type Simulator, type SimulatorOptions } from './simulator.ts'
import { book, emptyLedger, type Dispatch, type Event, type Ledger, type Parcel, type Units, type Work, type WorkLine } from './threeplLedger.ts' // prettier-ignore
import { answerAll, readOrders, type Picking } from './threeplOrders.ts'
import { statement, type ThreePlLedger } from './threeplStatement.ts'

export interface ThreePlOptions extends SimulatorOptions, Pick<Picking, 'cannot_pick'> {
  /** The folder it shares with the hub. */
  root: string
  /** Physical units at the very first start; afterwards its own journal knows. */
  stock: Readonly<Record<string, number>>
  poll_ms: number
  /** From taking work on to the parcel leaving. */
  pick_ms: number
  /** A full stock file is cut at the start and then this often. */
  snapshot_every_ms: number
  location_code: string
  partner: string
  /** Given: the folder is offered over SFTP on `port`, and `settings` point there. */
  sftp?: { username: string; password: string }
  /** Share of works that leave in two parcels. */
  split_share?: number
  /** Share of works of which one unit is not found on the shelf: stock that nobody knew was gone. */
  short_share?: number
  /** How its tracking numbers begin. */
  tracking?: string
  /** Whoever fetches the parcels. */
  handOver?: (tracking_number: string) => void
}

export interface ThreePl extends Simulator {
  ledger: () => ThreePlLedger
  /** Goods arrive at the dock and are reported in a receipts file, under the reference that the delivery note bears. */
  receive: (lines: readonly Units[], reference?: string) => void
  /** Cuts a full stock file now. */
  count: () => void
  /** True while a report lies in the folder that the hub has not fetched, or has fetched and not dealt with. */
  unread: () => boolean
  /** Null unless the folder is offered over SFTP. */
  readonly sftp: SftpServer | null
}

const FOLDERS = ['outgoing', 'archive', 'incoming', 'processed', 'error', 'acks'] as const
const SPLIT_SHARE = 0.1
const PARCELS_PER_FILE_MAX = 200
const CARRIER = 'Parcel Post'

/**
 * A warehouse that speaks the file drop: reads order files, answers, picks, ships, counts. Everything it does is in its journal before
 * it shows in the folder, so that killing it at any moment makes it neither ship twice nor forget.
 */
export async function startThreePl(options: ThreePlOptions): Promise<ThreePl> {
  for (const folder of FOLDERS) mkdirSync(join(options.root, folder), { recursive: true })
  const journal = openJournal<Event>(options.journal_path)
  const ledger = emptyLedger()
  for (const event of journal.events()) book(ledger, event)
  const house: House = {
    options,
    ledger,
    labels_missing: new Set(),
    faults: options.faults,
    note: (event) => {
      journal.append(event)
      book(ledger, event)
    },
  }
  if (!ledger.opened) house.note({ kind: 'opened', stock: { ...options.stock } })
  skipWritten(house)
  cutCount(house)
  const sftp =
    options.sftp === undefined
      ? null
      : await startSftpServer({ root: options.root, port: options.port, ...options.sftp })
  const timer = setInterval(() => work(house), options.poll_ms)
  let stopping: Promise<void> | undefined
  const close = async (): Promise<void> => {
    clearInterval(timer)
    await sftp?.stop()
    journal.close()
  }
  work(house)
  const transport = sftp === null ? { kind: 'folder', root: options.root } : { kind: 'sftp', ...sftp.settings }
  return {
    url: sftp === null ? `file://${options.root}` : `sftp://127.0.0.1:${sftp.settings.port}`,
    settings: { transport, partner: options.partner, location_code: options.location_code },
    sftp,
    setWebhookUrl: () => undefined,
    setFaults: (faults) => void (house.faults = faults),
    busy: () =>
      ledger.waiting.size > 0 ||
      orderFiles(house).length > 0 ||
      [...ledger.work.values()].some(({ state }) => state === 'accepted'),
    ledger: () => statement(ledger, house.labels_missing),
    receive: (lines, reference = '') => arrive(house, lines, reference),
    count: () => cutCount(house),
    unread: () => hasUnread(house),
    stop: () => (stopping ??= close()),
  }
}

interface House {
  readonly options: ThreePlOptions
  readonly ledger: Ledger
  readonly labels_missing: Set<string>
  faults: Faults
  note: (event: Event) => void
}

/** One round. Every step is synchronous, so that a round is never half done for any other reason than death. */
function work(house: House): void {
  for (const name of orderFiles(house)) takeOrders(house, name)
  ship(house)
  readAcks(house)
  const { snapshot_every_ms, now } = house.options
  if (now().getTime() - house.ledger.last_count_ms >= snapshot_every_ms) cutCount(house)
  writeDue(house)
}

// ── work comes in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function orderFiles({ options }: House): string[] {
  return readdirSync(join(options.root, 'outgoing'))
    .filter((name) => /^orders_.*\.csv$/.test(name))
    .toSorted()
}

/** The hub may set files aside below the folder while it reads them. */
function hasUnread({ options }: House): boolean {
  const names = readdirSync(join(options.root, 'incoming'), { recursive: true, encoding: 'utf8' })
  return names.some((name) => name.endsWith('.csv'))
}

/** Journal first, then the move. A file that is noted but not moved was cut off by a crash; one that is in both places came again. */
function takeOrders(house: House, name: string): void {
  const { options, ledger } = house
  const [here, archived] = [join(options.root, 'outgoing', name), join(options.root, 'archive', name)]
  if (!ledger.files.has(name) || existsSync(archived)) {
    const orders = readOrders(readFileSync(here, 'utf8'))
    if (orders === undefined) {
      house.note({ kind: 'refused_file', file: name })
      renameSync(here, `${archived}.refused`)
      return
    }
    const at_ms = tick(house)
    const answers = answerAll(ledger, options, orders)
    const rows = answers.map((answer) => [answer.fulfillment_order, answer.verdict, answer.reason, iso(at_ms)])
    const dispatches = dispatch(house, 'acks', at_ms, [['fulfillment_order', 'verdict', 'reason', 'at'], ...rows], {
      total: 0,
    })
    house.note({ kind: 'received', file: name, at_ms, due_ms: at_ms + options.pick_ms, answers, dispatches })
    for (const { label } of orders) if (label !== undefined) takeLabel(house, label.file)
  }
  renameSync(here, archived)
}

/** A label is fetched before its parcel is packed. One that was fetched before a crash lies in the archive. */
function takeLabel({ options, labels_missing }: House, file: string): void {
  const [here, archived] = [join(options.root, 'outgoing', file), join(options.root, 'archive', file)]
  if (file !== '' && existsSync(here)) renameSync(here, archived)
  const begins = file !== '' && existsSync(archived) ? readFileSync(archived).subarray(0, 5).toString('latin1') : ''
  if (!/^(%PDF-|\^XA)/.test(begins)) labels_missing.add(file)
}

// ── parcels go out ────────────────────────────────────────────────────────────────────────────────────────────────────────

function ship(house: House): void {
  const { ledger, options } = house
  const now_ms = options.now().getTime()
  const due = [...ledger.work.values()]
    .filter((item) => item.state === 'accepted' && item.due_ms <= now_ms)
    .slice(0, PARCELS_PER_FILE_MAX)
  if (due.length === 0) return
  const at_ms = tick(house)
  const parcels = due.map((item, i) => pack(house, item, ledger.parcels.length + i + 1, at_ms))
  const columns = ['shipment_id', 'fulfillment_order', 'shipped_at', 'carrier', 'tracking_number', 'tracking_url', 'sku', 'quantity', 'line_reference', 'lot'] // prettier-ignore
  const rows = parcels.flatMap(
    (parcel) =>
    parcel.lines.map((line) => [
      parcel.shipment_id, parcel.fulfillment_order, parcel.shipped_at, ...carriageCells(parcel), line.sku, line.quantity, line.line_reference, '',
    ]), // prettier-ignore
  )
  const short = parcels.filter(({ lost }) => lost.length > 0)
  const dispatches = dispatch(house, 'shipments', at_ms, [columns, ...rows], {
    total: units(parcels.flatMap(({ lines }) => lines)),
  })
  if (short.length > 0) {
    const answers = short.map(({ fulfillment_order }) => [
      fulfillment_order,
      'rejected',
      'short: the rest was not found',
      iso(at_ms),
    ])
    dispatches.push(
      ...dispatch(house, 'acks', at_ms, [['fulfillment_order', 'verdict', 'reason', 'at'], ...answers], { total: 0 }),
    )
  }
  house.note({ kind: 'shipped', at_ms, next_due_ms: at_ms + options.pick_ms, parcels, dispatches })
  for (const { tracking_number } of parcels) options.handOver?.(tracking_number)
}

/** Whoever sent the label knows its number, so that every other such parcel is reported without one. */
function carriageCells({ carrier, tracking_number, given, shipment_id }: Parcel): string[] {
  if (given === true && /[02468]$/.test(shipment_id)) return ['', '', '']
  return [carrier, tracking_number, given === true ? '' : `https://track.example/${tracking_number}`]
}

function pack({ options }: House, item: Work, number: number, at_ms: number): Parcel {
  const chance = options.random()
  const total = units(item.remaining)
  const { label } = item
  // One label is for one parcel.
  const split = label === undefined && item.parcels === 0 && total > 1 && chance < (options.split_share ?? SPLIT_SHARE)
  const short = !split && total > 1 && chance >= 1 - (options.short_share ?? 0)
  const lines = take(item.remaining, split ? Math.ceil(total / 2) : short ? total - 1 : total)
  const missing = item.remaining.at(-1)
  return {
    shipment_id: `${options.partner.toUpperCase()}-${number}`,
    fulfillment_order: item.fulfillment_order,
    tracking_number: label?.tracking_number ?? `${options.tracking ?? 'PP'}${String(number).padStart(10, '0')}`,
    carrier: label?.carrier ?? CARRIER,
    ...(label === undefined ? {} : { given: true }),
    shipped_at: iso(at_ms),
    lines,
    lost: short && missing !== undefined ? [{ sku: missing.sku, quantity: 1 }] : [],
    last: !split,
  }
}

function take(lines: readonly WorkLine[], count: number): WorkLine[] {
  let left = count
  return lines.flatMap((line) => {
    const quantity = Math.min(left, line.quantity)
    left -= quantity
    return quantity > 0 ? [{ ...line, quantity }] : []
  })
}

// ── counts, arrivals, acknowledgements ────────────────────────────────────────────────────────────────────────────────────

/** The cut is now; the file may appear later, when parcels have left that it does not know of. */
function cutCount(house: House): void {
  const { ledger, options, faults } = house
  const at_ms = tick(house)
  const stock = [...ledger.on_hand].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const rows = stock.map(([sku, on_hand]) => [options.location_code, sku, on_hand, 0, 0, iso(at_ms)])
  const late_ms = Math.floor(options.random() * faults.webhook_delay_ms_max)
  const total = stock.reduce((sum, [, on_hand]) => sum + on_hand, 0)
  const columns = ['location_code', 'sku', 'on_hand', 'damaged', 'quality_control', 'as_of']
  house.note({
    kind: 'counted',
    at_ms,
    dispatches: dispatch(house, 'stock_full', at_ms, [columns, ...rows], { total, not_before_ms: at_ms + late_ms }),
  })
}

function arrive(house: House, lines: readonly Units[], reference: string): void {
  const at_ms = tick(house)
  const receipt = `R-${house.ledger.arrivals.length + 1}`
  const rows = lines.map(({ sku, quantity }) => [
    receipt,
    house.options.location_code,
    sku,
    quantity,
    iso(at_ms),
    reference,
  ])
  const columns = ['receipt_id', 'location_code', 'sku', 'quantity', 'received_at', 'reference']
  house.note({
    kind: 'arrived',
    at_ms,
    lines: [...lines],
    reference,
    dispatches: dispatch(house, 'receipts', at_ms, [columns, ...rows], { total: units(lines) }),
  })
}

function readAcks(house: House): void {
  const folder = join(house.options.root, 'acks')
  for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.ack') && !entry.startsWith('.'))) {
    const records = parse(readFileSync(join(folder, name), 'utf8'), { relax_column_count: true })
    const summary = records.find((record) => record[0] === 'FILE')
    house.note({ kind: 'ack_read', name, accepted: Number(summary?.[1]), rejected: Number(summary?.[2]) })
    unlinkSync(join(folder, name))
  }
}

// ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The file for the hub, and with the fault switched on sometimes a second one of the same content under the next number. */
function dispatch(
  house: House,
  type: string,
  at_ms: number,
  rows: (string | number)[][],
  { total, not_before_ms = at_ms }: { total: number; not_before_ms?: number },
): Dispatch[] {
  const { ledger, options, faults } = house
  const text = stringify([...rows, ['TRAILER', rows.length - 1, total]], { record_delimiter: '\r\n' })
  const copies = options.random() < faults.webhook_duplicate_share ? 2 : 1
  const first = (ledger.sequences.get(type) ?? 0) + 1
  return Array.from({ length: copies }, (_, i) => {
    const time = iso(at_ms).replaceAll(/[-:.Z]/g, '')
    return { name: `${type}_${options.partner}_${time}_${String(first + i).padStart(6, '0')}.csv`, text, not_before_ms }
  })
}

function writeDue(house: House): void {
  const { ledger, options } = house
  const now_ms = options.now().getTime()
  for (const { name, text, not_before_ms } of ledger.waiting.values()) {
    if (not_before_ms > now_ms) continue
    const temporary = join(options.root, 'incoming', `.${name}.tmp`)
    writeFileSync(temporary, text)
    renameSync(temporary, join(options.root, 'incoming', name))
    house.note({ kind: 'wrote', name })
  }
}

/** After a crash: what already lies with the hub, in whichever of its folders, is not written again. */
function skipWritten(house: House): void {
  const { root } = house.options
  const there = new Set(
    readdirSync(root, { recursive: true, encoding: 'utf8' }).map((path) => path.split(/[/\\]/).at(-1)),
  )
  for (const name of house.ledger.waiting.keys()) if (there.has(name)) house.note({ kind: 'wrote', name })
}

/** A moment of its own for each movement, at least a millisecond after the one before. */
function tick({ ledger, options }: House): number {
  return Math.max(options.now().getTime(), ledger.last_ms + 1)
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}

function units(lines: readonly Units[]): number {
  return lines.reduce((sum, { quantity }) => sum + quantity, 0)
}
