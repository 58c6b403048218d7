import type { Command } from 'commander'
import { listBankLines, listStatements, type BankLineRow } from '../core/bank/read.ts'
import type { StatementImport } from '../core/bank/importStatement.ts'
import { acceptBankStatement, importBankFile, type BankImport } from '../queues/bankByHand.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption, cursorOption, limitOption } from './arguments.ts'
import { readInput } from './input.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { EXIT, print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  connection?: string
  proof?: string
  state?: string
  statement?: string
  limit: number
  cursor?: string
}

const PROOFS = ['proven', 'unproven', 'held', 'accepted']
const STATES = ['unmatched', 'matched', 'suggested', 'not_ours']

export function addBankCommands(program: Command): void {
  const bank = program.command('bank').description('bank statements: what really arrived')
  addImport(bank)
  addLists(bank)
  bank
    .command('accept')
    .description('takes a held statement as it is, with its difference')
    .argument('<id>', 'the statement, by its id')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const statement = await withHub(options, ({ hub }) => acceptBankStatement(hub, id, actor()))
      print(options, { statement }, () => statementLine(statement))
    })
}

function addImport(bank: Command): void {
  bank
    .command('import')
    .description(
      'keeps the statements of a file: CAMT.053, MT940, or CSV with the columns that the connection declares',
    )
    .argument('<connection>', 'the bank account')
    .argument('<file>', 'the file; - reads standard input')
    .action(async (connection: string, file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const { bytes } = await readInput(file)
      const done = await withHub(options, ({ hub }) => importBankFile(hub, { connection, bytes }, actor()))
      const isHeld = done.statements.some(({ outcome }) => outcome === 'held')
      // `ok` of the document has to agree with the exit code: a held statement is a check that failed.
      print(options, { ...done, ok: !isHeld }, () => importText(done))
      if (isHeld) process.exitCode = EXIT.failed
    })
}

function addLists(bank: Command): void {
  bank
    .command('list')
    .description('statements, the last imported first')
    .addOption(connectionOption())
    .addOption(choiceOption('--proof <proof>', 'only these', PROOFS))
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { connection, proof, limit, cursor } = options
      const page = await withDb(options, (db) => listStatements(db, { connection, proof, limit, cursor }))
      print(options, page, () =>
        table(
          ['id', 'connection', 'statement', 'currency', 'begin', 'end', 'difference', 'lines', 'unmatched', 'proof'],
          page.rows.map((row) => [
            row.id,
            row.connection_id,
            row.external_id,
            row.currency,
            row.begin_minor,
            row.end_minor,
            row.difference_minor,
            row.lines,
            row.unmatched_lines,
            row.proof,
          ]),
        ),
      )
    })
  bank
    .command('lines')
    .description('movements, oldest first; their texts are shown')
    .addOption(connectionOption())
    .option('--statement <id>', 'only of this statement')
    .addOption(choiceOption('--state <state>', 'only in this state', STATES))
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { connection, statement, state: match_state, limit, cursor } = options
      const filter = { connection, statement, match_state, limit, cursor }
      const page = await withHub(options, ({ hub }) => listBankLines(hub.db, filter, hub.vault))
      print(options, page, () => linesText(page.rows))
    })
}

const linesText = (rows: readonly BankLineRow[]): string =>
  table(
    ['line', 'booked', 'currency', 'minor units', 'state', 'payout', 'match', 'reference', 'text'],
    rows.map((row) => [
      row.id,
      row.booked_on,
      row.currency,
      row.amount_minor,
      row.match_state,
      row.settlement_id,
      row.match_id,
      row.reference,
      row.text?.slice(0, 80),
    ]),
  )

function importText({ format, statements, warnings }: BankImport): string {
  return [`${format}, ${statements.length} statements`, ...statements.map(statementLine), ...warnings].join('\n')
}

function statementLine(statement: StatementImport): string {
  const { external_id, outcome, proof, lines, added, changed, removed, difference_minor, faults } = statement
  const moved = `${added} new, ${changed} changed, ${removed} removed`
  const gap = difference_minor === null ? 'no balances stated' : `difference ${difference_minor}`
  return [
    `${external_id}: ${outcome} (${proof}), ${lines} lines, ${moved}, ${gap}`,
    ...faults.map(({ row, message }) => `  ${row === null ? '' : `row ${row}: `}${message}`),
  ].join('\n')
}
