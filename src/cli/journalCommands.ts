import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { exportJournals, EXPORT_FORMATS, type ExportFormat } from '../core/books/export.ts'
import { postJournals } from '../core/books/post.ts'
import { JOURNAL_KINDS, listJournals, showJournal, type JournalRow, type JournalShown } from '../core/books/read.ts'
import { writeAudit } from '../db/audit.ts'
import { isUuid } from '../db/page.ts'
import { HubError } from '../core/errors.ts'
import { decimalFromMinor } from '../core/model/money.ts'
import { systemParts } from '../main/parts.ts'
import { coreContext } from '../queues/context.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption, cursorOption, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  period?: string
  kind?: string
  connection?: string
  limit: number
  cursor?: string
}

interface ExportOptions extends CommonOptions {
  period: string
  company?: string
  format: ExportFormat
  out?: string
}

/** The books: what was posted, and what leaves for the ERP. */
export function addJournalCommands(program: Command): void {
  const journal = program.command('journal').description('the books: one journal a payout, one a bank line')
  journal
    .command('list')
    .description('the newest first')
    .option('--period <month>', 'only of this month, like 2026-11')
    .addOption(choiceOption('--kind <kind>', 'only of this kind', JOURNAL_KINDS))
    .addOption(connectionOption())
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { period, kind, connection, limit, cursor } = options
      const page = await withDb(options, (db) => listJournals(db, { period, kind, connection, limit, cursor }))
      print(options, page, () => journalsText(page.rows))
    })
  journal
    .command('show')
    .description('one journal with its entries')
    .argument('<id>')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      if (!isUuid(id)) throw new HubError('bad_request', 'a journal is named by its id', { path: 'id' })
      const shown = await withDb(options, (db) => showJournal(db, id))
      print(options, shown, () => journalText(shown))
    })
  journal
    .command('post')
    .description('books what is proven and matched by now; the hub does it every minute')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const posted = await withHub(options, ({ hub }) =>
        postJournals(hub.db, coreContext(hub), { timezone: hub.config.finance.timezone, by: actor() }),
      )
      print(
        options,
        posted,
        () => `booked ${posted.settlements} payouts and ${posted.bank_lines} bank lines, took back ${posted.reversed}`,
      )
    })
  journal
    .command('export')
    .description('the journals of a month as a file; the same bytes each time')
    .requiredOption('--period <month>', 'like 2026-11')
    .addOption(choiceOption('--format <format>', 'csv for people, json for an ERP', EXPORT_FORMATS).default('csv'))
    .option('--company <id>', 'only of this company')
    .option('--out <file>', 'into this file; without it to standard output')
    .action(async (_options: object, command: Command) => {
      await exportTo(command.optsWithGlobals<ExportOptions>())
    })
}

async function exportTo(options: ExportOptions): Promise<void> {
  const { period, company = null, format, out } = options
  const text = await withDb(options, async (db) => {
    const exported = await exportJournals(db, { period, company_id: company, format })
    const subject = `period:${company ?? 'all'}:${period}`
    await writeAudit(db, { at: systemParts().clock.now(), actor: actor(), action: 'journal.export', subject })
    return exported
  })
  if (out === undefined) {
    // The file itself, byte for byte: with --json it goes into the document instead.
    if (options.json === true) print(options, { period, format, text }, () => '')
    else process.stdout.write(text)
    return
  }
  writeFileSync(out, text)
  print(options, { period, format, file: out, bytes: Buffer.byteLength(text) }, () => `written to ${out}`)
}

function journalsText(rows: readonly JournalRow[]): string {
  return table(
    ['journal', 'posted on', 'kind', 'connection', 'payout', 'version', 'reverses', 'reversed by'],
    rows.map((row) => [
      row.id,
      row.posted_on,
      row.kind,
      row.connection_id,
      row.settlement_external_id,
      row.version,
      row.reverses,
      row.reversed_by,
    ]),
  )
}

function journalText(shown: JournalShown): string {
  const amount = (minor: number, currency: string): string => (minor === 0 ? '' : decimalFromMinor(minor, currency))
  const entries = shown.entries.map(({ account, currency, debit_minor, credit_minor }) => [
    account,
    amount(debit_minor, currency),
    amount(credit_minor, currency),
    currency,
  ])
  const head = `${shown.key}, booked on ${shown.posted_on} by ${shown.created_by}`
  return [head, '', table(['account', 'debit', 'credit', 'currency'], entries)].join('\n')
}
