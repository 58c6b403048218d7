import type { Command } from 'commander'
import { ANSWER_STATES, listAwaited, type AwaitedRow } from '../core/answers/answers.ts'
import { systemParts } from '../main/parts.ts'
import { choiceOption, connectionOption, cursorOption, limitOption } from './arguments.ts'
import { withDb, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  state?: AwaitedRow['state']
  connection?: string
  limit: number
  cursor?: string
}

export function addAnswerCommands(program: Command): void {
  const answers = program.command('answers').description('acknowledgements that partners owe for what they were sent')
  answers
    .command('list')
    .description('the newest first')
    .addOption(choiceOption('--state <state>', 'only in this state', ANSWER_STATES))
    .addOption(connectionOption())
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { state, connection, limit, cursor } = options
      const now = systemParts().clock.now()
      const page = await withDb(options, (db) => listAwaited(db, { state, connection, limit, cursor }, now))
      print(options, page, () => answersText(page.rows))
    })
}

function answersText(rows: readonly AwaitedRow[]): string {
  return table(
    ['connection', 'message', 'what', 'state', 'sent', 'due', 'answered', 'faults'],
    rows.map((row) => [
      row.connection_id,
      row.reference,
      row.what,
      row.state,
      row.sent_at,
      row.due_at,
      row.answered_at,
      row.faults.map(({ text, place }) => (place === null ? text : `${text} at ${place}`)).join('; '),
    ]),
  )
}
