import type { Command } from 'commander'
import { listFiles } from '../db/readFiles.ts'
import type { Hub } from '../hub.ts'
import { confirmFile, rejectFile } from '../queues/fileRows.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption, cursorOption, idOf, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  state?: string
  connection?: string
  limit: number
  cursor?: string
}

interface Decision {
  name: string
  description: string
  done: string
  run: (hub: Hub, id: number, actor: string) => Promise<unknown>
}

const DECISIONS: readonly Decision[] = [
  { name: 'confirm', description: 'applies a held file after all', done: 'confirmed', run: confirmFile },
  { name: 'reject', description: 'refuses a held file for good', done: 'rejected', run: rejectFile },
]

export function addFileCommands(program: Command): void {
  const files = program.command('files').description('received files, and those held for confirmation')
  files
    .command('list')
    .description('the newest received files')
    .addOption(choiceOption('--state <state>', 'only in this state', ['applied', 'rejected', 'held', 'duplicate']))
    .addOption(connectionOption())
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { state, connection, limit, cursor } = options
      const page = await withDb(options, (db) => listFiles(db, { state, connection, limit, cursor }))
      print(options, page, () =>
        table(
          ['id', 'connection', 'name', 'rows', 'state', 'cause'],
          page.rows.map((row) => [row.id, row.connection_id, row.name, row.rows, row.state, row.error_detail]),
        ),
      )
    })
  for (const decision of DECISIONS) addDecision(files, decision)
}

function addDecision(files: Command, { name, description, done, run }: Decision): void {
  files
    .command(name)
    .description(description)
    .argument('<id>', 'the file, by its number', idOf)
    .action(async (id: number, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const result = await withHub(options, ({ hub }) => run(hub, id, actor()))
      print(options, { file: id, result: result ?? null }, () => `file ${id}: ${done}`)
    })
}
