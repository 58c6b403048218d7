import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { createApiKey, listApiKeys, resetPassword, revokeApiKey } from '../http/auth.ts'
import { hashPassword } from '../http/passwords.ts'
import { ROLES, type Role } from '../http/policies.ts'
import { systemParts } from '../main/parts.ts'
import { actor } from './actor.ts'
import { choiceOption, cursorOption, limitOption, wholeNumber } from './arguments.ts'
import { readInput } from './input.ts'
import { withDb, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

const PASSWORD_LENGTH_MIN = 12

interface KeyOptions extends CommonOptions {
  name: string
  role: Role
  holdUnitsMax?: number
}

export function addUserCommands(program: Command): void {
  const users = program.command('users').description('who may log in')
  users
    .command('reset-password')
    .description('a new random password for a user of the first start, shown once')
    .argument('<name>', 'the user')
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const user = await withDb(options, (db) => resetPassword(db, name))
      print(options, user, () => `${user.name} now logs in with ${user.password}`)
    })
  users
    .command('hash-password')
    .description('reads a password from standard input and prints its hash for the configuration')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const { bytes } = await readInput('-')
      const password = bytes.toString('utf8').replace(/\r?\n$/, '')
      if (password.length < PASSWORD_LENGTH_MIN) {
        throw new HubError('bad_request', `a password has at least ${PASSWORD_LENGTH_MIN} characters`)
      }
      const password_hash = await hashPassword(password)
      print(options, { password_hash }, () => password_hash)
    })
  addKeyCommands(program.command('api-keys').description('keys for the REST API'))
}

function addKeyCommands(keys: Command): void {
  keys
    .command('create')
    .description('makes a key and shows it once')
    .requiredOption('--name <name>', 'what it is for')
    .addOption(choiceOption('--role <role>', 'what it may do', ROLES).default('viewer'))
    .option('--hold-units-max <units>', 'how many units it may keep in cart holds at once', wholeNumber)
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<KeyOptions>()
      const { name, role, holdUnitsMax: hold_units_max = null } = options
      const made = { name, role, created_by: actor(), hold_units_max, now: systemParts().clock.now() }
      const key = await withDb(options, (db) => createApiKey(db, made))
      print(options, key, () => key.secret)
    })
  keys
    .command('list')
    .description('keys without their secrets')
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { limit: number; cursor?: string }>()
      const { limit, cursor } = options
      const page = await withDb(options, (db) => listApiKeys(db, { limit, cursor }))
      print(options, page, () =>
        table(
          ['id', 'name', 'role', 'holds at most', 'created', 'last used', 'revoked'],
          page.rows.map((row) => [
            row.id,
            row.name,
            row.role,
            row.hold_units_max,
            row.created_at,
            row.last_used_at,
            row.revoked_at,
          ]),
        ),
      )
    })
  keys
    .command('revoke')
    .description('ends a key at once')
    .argument('<id>', 'the key')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      await withDb(options, (db) => revokeApiKey(db, id, systemParts().clock.now()))
      print(options, { id }, () => `${id} is revoked`)
    })
}
