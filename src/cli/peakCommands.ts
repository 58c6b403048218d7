import { Argument, type Command } from 'commander'
import { setPeakMode } from '../core/availability/peak.ts'
import { HubError } from '../core/errors.ts'
import { inTransaction } from '../db/transaction.ts'
import { coreContext } from '../queues/context.ts'
import { wakePushes } from '../queues/wake.ts'
import { actor } from './actor.ts'
import { withHub, type CommonOptions } from './options.ts'
import { print } from './output.ts'

interface PeakOptions extends CommonOptions {
  company?: string
}

export function addPeakCommands(program: Command): void {
  program
    .command('peak')
    .description('days on which everything sells at once: buffers by measured risk count three times')
    .addArgument(new Argument('<mode>', 'the switch').choices(['on', 'off']))
    .option('--company <id>', 'the company; may be left out where there is one')
    .action(async (mode: 'on' | 'off', _options: object, command: Command) => {
      const options = command.optsWithGlobals<PeakOptions>()
      const peak = await withHub(options, async ({ hub }) => {
        const { companies } = hub.config
        const company_id = options.company ?? (companies.length === 1 ? companies[0]?.id : undefined)
        if (company_id === undefined) throw new HubError('bad_request', 'name the company with --company')
        const wish = { company_id, mode, by: actor() }
        const done = await inTransaction(hub.db, (tx) => setPeakMode(tx, coreContext(hub), wish))
        await wakePushes(hub)
        return done
      })
      const moved = peak.connections.length === 0 ? 'no connection keeps a buffer by risk' : peak.connections.join(', ')
      print(options, peak, () => `peak mode of ${peak.company_id} is ${mode}: ${moved}`)
    })
}
