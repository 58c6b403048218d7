import { readFileSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import type { Connector } from '../connectors/_kit/define.ts'
import { bytesOfBuffer, bytesOfFile, type SettlementBytes } from '../connectors/_kit/settlementFile.ts'
import { connectors } from '../connectors/index.ts'
import { HubError } from '../core/errors.ts'
import { decimalFromMinor } from '../core/model/money.ts'
import {
  findSettlement,
  listSettlements,
  summariseSettlement,
  type SettlementSummary,
} from '../core/settlement/read.ts'
import { listLines, type SettlementLineRow } from '../core/settlement/readLines.ts'
import { checkDocument, type CheckDocument } from '../core/settlement/rulesShown.ts'
import { checkSettlementFile, importSettlementBytes, type FileImported } from '../queues/settlementFiles.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption, cursorOption, limitOption } from './arguments.ts'
import { readInput } from './input.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { EXIT, print, table } from './output.ts'

interface CheckOptions extends CommonOptions {
  settings?: string
}

interface ListOptions extends CommonOptions {
  connection?: string
  status?: string
  matching?: 'whole' | 'broken'
  limit: number
  cursor?: string
}

/** Returns the command, so that the parts of the money engine that have files of their own can hang theirs on it. */
export function addSettlementCommands(program: Command): Command {
  const settlement = program
    .command('settlement')
    .description('payouts: their files, their lines, and whether they add up')
  addCheck(settlement)
  addImport(settlement)
  addReaders(settlement)
  addLines(settlement)
  return settlement
}

function addCheck(settlement: Command): void {
  settlement
    .command('check')
    .description('reads a file of payouts and proves that its rows add up; stores nothing')
    .argument('<connector>', 'whose file it is: amazon, paypal, csv …')
    .argument('<file>', 'the file, plain or packed with gzip, or - for standard input')
    .option('--settings <file>', 'JSON with the settings of its format, such as the columns of a CSV')
    .action(async (name: string, file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CheckOptions>()
      const connector = connectorOf(name)
      const { bytes } = await sourceOf(file)
      const checked = await checkSettlementFile(connectors, connector, settingsIn(options.settings), bytes)
      const document = checkDocument(checked.format, checked.rows, checked.proof)
      print(options, document, () => checkText(document))
      if (!document.ok) process.exitCode = EXIT.failed
    })
}

function addImport(settlement: Command): void {
  settlement
    .command('import')
    .description('keeps a file of payouts with its lines; the same file again changes nothing')
    .argument('<connection>', 'the connection whose payouts they are')
    .argument('<file>', 'the file, plain or packed with gzip, or - for standard input')
    .option('--again', 'reads a file that was imported before once more, by the settings of now')
    .action(async (id: string, file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { again?: true }>()
      const { name, bytes } = await sourceOf(file)
      const imported = await withHub(options, ({ hub }) => {
        const connection = hub.connections.get(id)
        if (connection === undefined) throw new HubError('not_found', `there is no connection ${id}`)
        return importSettlementBytes(hub, connectors, {
          connection,
          name,
          bytes,
          known: options.again === true ? 'again' : 'skip',
          by: actor(),
        })
      })
      const document = importDocument(imported)
      print(options, document, () => importText(imported))
      if (!document.ok) process.exitCode = EXIT.failed
    })
}

function addReaders(settlement: Command): void {
  settlement
    .command('list')
    .description('payouts, the last recorded first')
    .addOption(connectionOption())
    .option('--status <status>', 'only with this status')
    .addOption(choiceOption('--matching <state>', 'whole: everything found its order', ['whole', 'broken']))
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { connection, status, matching, limit, cursor } = options
      const page = await withDb(options, (db) => listSettlements(db, { connection, status, matching, limit, cursor }))
      print(options, page, () =>
        table(
          ['id', 'connection', 'payout', 'status', 'proof', 'amount', 'difference', 'unmatched'],
          page.rows.map((row) => [
            row.id,
            row.connection_id,
            row.external_id,
            row.status,
            row.proof,
            money(row.payout_minor, row.currency),
            money(row.difference_minor, row.currency),
            row.unmatched_lines,
          ]),
        ),
      )
    })
  settlement
    .command('show')
    .description('one payout: what it is made of, how much of it is matched, and what stands open')
    .argument('<id>', 'the payout, by its id here or at its source')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const shown = await withDb(options, (db) => summariseSettlement(db, id))
      print(options, shown, () => showText(shown))
    })
}

function addLines(settlement: Command): void {
  settlement
    .command('lines')
    .description('the lines of one payout, each with the order it is about and the row of the file it came from')
    .argument('<id>', 'the payout, by its id here or at its source')
    .addOption(choiceOption('--state <state>', 'only in this state', ['matched', 'unmatched', 'not_needed']))
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { state?: string; limit: number; cursor?: string }>()
      const { state: match_state, limit, cursor } = options
      const page = await withDb(options, async (db) =>
        listLines(db, (await findSettlement(db, id)).id, { match_state, limit, cursor }),
      )
      print(options, page, () => linesText(page.rows))
    })
}

const linesText = (rows: readonly SettlementLineRow[]): string =>
  table(
    ['line', 'kind', 'order', 'sku', 'gross', 'fee', 'net', '', 'state', 'match', 'row'],
    rows.map((row) => [
      row.external_id,
      row.fee_type === null ? row.kind : `${row.kind}: ${row.fee_type}`,
      row.order_number ?? row.order_external_id,
      row.sku,
      decimalFromMinor(row.gross_minor, row.currency),
      decimalFromMinor(row.fee_minor, row.currency),
      decimalFromMinor(row.net_minor, row.currency),
      row.currency,
      row.match_state,
      row.match_id,
      row.file_row,
    ]),
  )

function connectorOf(name: string): Connector {
  const connector = Object.hasOwn(connectors, name) ? connectors[name] : undefined
  if (connector === undefined) {
    const able = Object.values(connectors).flatMap(({ id, settlements }) => (settlements === undefined ? [] : [id]))
    throw new HubError('not_found', `there is no connector ${name}`, { hint: `files are read of ${able.join(', ')}` })
  }
  return connector
}

/** A file is read as a stream each time anew; standard input cannot be, and is held. */
async function sourceOf(file: string): Promise<{ name: string; bytes: SettlementBytes }> {
  if (file === '-') {
    const { name, bytes } = await readInput(file)
    return { name, bytes: bytesOfBuffer(bytes) }
  }
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats?.isFile() !== true) {
    throw new HubError('bad_request', `cannot read ${file}`, { hint: 'name a file, or - for standard input' })
  }
  return { name: file.split(/[\\/]/).at(-1) ?? file, bytes: bytesOfFile(file) }
}

function settingsIn(file: string | undefined): Readonly<Record<string, unknown>> {
  if (file === undefined) return {}
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Falls through to the one refusal below.
  }
  throw new HubError('bad_request', `${file} is not a JSON object that can be read`)
}

const money = (minor: number, currency: string): string => `${decimalFromMinor(minor, currency)} ${currency}`

function checkText(document: CheckDocument): string {
  const { currency, payout_minor, sum_minor, by_kind } = document
  const sums =
    currency === null || payout_minor === null || sum_minor === null
      ? document.settlements === 0
        ? []
        : ['several currencies: see --json']
      : [
          `payout      ${money(payout_minor, currency)}`,
          `sum         ${money(sum_minor, currency)}`,
          `difference  ${money(document.difference_minor, currency)}`,
          '',
          table(
            ['kind', 'net'],
            Object.entries(by_kind ?? {}).map(([kind, net]) => [kind, money(net, currency)]),
          ),
        ]
  const faults = document.faults.map(
    ({ row, column, message }) =>
      `fault: ${row === null ? '' : `row ${row}${column === null ? '' : `, ${column}`}: `}${message}`,
  )
  return [
    `${document.ok ? 'proven' : 'NOT proven'}: ${document.settlements} payout(s), ${document.lines} lines (${document.format})`,
    ...sums,
    ...faults,
    ...document.warnings.map(({ row, message }) => `warning: row ${row}: ${message}`),
  ].join('\n')
}

function importDocument({ file_id, outcome, format, sha256, matched, settlements }: FileImported) {
  const lines = settlements.reduce((sum, one) => sum + one.lines, 0)
  const ok = settlements.every(({ proof }) => proof !== 'held')
  const hint = hintOf(settlements)
  return { ok, file_id, outcome, format, sha256, lines, matched, settlements, ...(hint === null ? {} : { hint }) }
}

/** What is left to do; null: nothing is. */
function hintOf(settlements: FileImported['settlements']): string | null {
  if (settlements.length === 0)
    return 'this file was imported before, and a later one has replaced what it says; --again reads it once more'
  const held = settlements.filter(({ proof }) => proof === 'held').map(({ external_id }) => external_id)
  const [first] = held
  if (first === undefined) return null
  const which = held.length === 1 ? `payout ${first} is` : `${held.length} payouts are`
  return (
    `${which} held and not booked: import a corrected file, or let it in as it is with ` +
    `crossdock settlement accept-proof ${first} --reason …; crossdock settlement check shows what is wrong`
  )
}

function importText({ outcome, settlements, matched, file_id }: FileImported): string {
  const hint = hintOf(settlements)
  if (outcome === 'same') return [`file ${file_id}: nothing has changed`, ...(hint === null ? [] : [hint])].join('\n')
  const rows = settlements.map((one) => [one.id, one.external_id, one.change, one.lines, one.lines_moved, one.proof])
  return [
    `file ${file_id}: ${settlements.length} payout(s), ${matched} lines matched now`,
    table(['id', 'payout', 'change', 'lines', 'moved', 'proof'], rows),
    ...(hint === null ? [] : [hint]),
  ].join('\n')
}

function showText(shown: SettlementSummary): string {
  const { currency } = shown
  return [
    `${shown.external_id} (${shown.connection_id}), ${shown.status}, ${shown.proof}, version ${shown.version}`,
    `gross ${money(shown.gross_minor, currency)}  fees ${money(shown.fees_minor, currency)}  net ${money(shown.net_minor, currency)}`,
    `payout ${money(shown.payout_minor, currency)}  difference ${money(shown.difference_minor, currency)}`,
    `${shown.lines} lines, ${shown.matched} matched, ${shown.unmatched} unmatched`,
    ...shown.breaks.map(
      (found) => `break ${found.id}: ${found.type}, ${money(found.amount_minor, found.currency)}, ${found.state}`,
    ),
  ].join('\n')
}
