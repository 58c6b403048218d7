import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { listFiles } from '../db/readFiles.ts'
import type { Hub } from '../hub.ts'
import { confirmFile, rejectFile } from '../queues/fileReader.ts'
import { actor } from './deadLetterCommands.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

export function addFileCommands(program: Command): void {
  const files = program.command('files').description('received files, and those held for confirmation')
  files
    .command('list')
    .description('the newest received files')
    .option('--state <state>', 'applied | rejected | held | duplicate')
    .option('--connection <id>', 'only of this connection')
    .option('--json', 'one JSON document')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { state?: string; connection?: string }>()
      const page = await withDb(options, (db) => listFiles(db, { state: options.state, connection: options.connection, limit: 100 }))
      print(options, page, () => table(['id', 'connection', 'name', 'rows', 'state', 'cause'], page.rows.map((row) => [row.id, row.connection_id, row.name, row.rows, row.state, row.error_detail])))
    })
  const decisions: Record<string, (hub: Hub, id: number, actor: string) => Promise<unknown>> = { confirm: confirmFile, reject: rejectFile }
  for (const [name, decide] of Object.entries(decisions)) {
    files
      .command(name)
      .description(name === 'confirm' ? 'applies a held file after all' : 'refuses a held file for good')
      .argument('<id>', 'the file')
      .option('--json', 'one JSON document')
      .action(async (id: string, _options: CommonOptions, command: Command) => {
        const options = command.optsWithGlobals<CommonOptions>()
        const number = Number(id)
        if (!Number.isSafeInteger(number)) throw new HubError('bad_request', 'a file is named by its number')
        const result = await withHub(options, ({ hub }) => decide(hub, number, actor()))
        print(options, { ok: true, file: number, result: result ?? null }, () => `file ${number}: ${name === 'confirm' ? 'confirmed' : 'rejected'}`)
      })
  }
}
