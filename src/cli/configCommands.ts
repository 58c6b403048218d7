import type { Command } from 'commander'
import { configFaults, redactConfig } from '../config.ts'
import { configFile, readConfig, type CommonOptions } from './options.ts'
import { EXIT, print, printError } from './output.ts'
import { stringify } from 'yaml'

export function addConfigCommands(program: Command): void {
  const config = program.command('config').description('the configuration file')
  config
    .command('check')
    .description('reports every fault with its path, line and allowed values')
    .option('--json', 'one JSON document')
    .action((_options: CommonOptions, command: Command) => {
      process.exitCode = check(command.optsWithGlobals<CommonOptions>())
    })
  config
    .command('print')
    .description('the configuration as the hub sees it, secrets replaced')
    .option('--redact', 'replace secrets (always on; accepted for scripts)')
    .option('--json', 'one JSON document')
    .action((_options: CommonOptions, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const { secret_paths: _, ...shown } = redactConfig(readConfig(options))
      print(options, shown, () => stringify(shown).trimEnd())
    })
}

function check(options: CommonOptions): number {
  try {
    const config = readConfig(options)
    const summary = { ok: true, file: config.file, connections: config.connections.length, items: config.items.length }
    print(options, summary, () => `${config.file} is fine: ${summary.connections} connections, ${summary.items} items`)
    return EXIT.ok
  } catch (thrown) {
    const faults = configFaults(thrown)
    if (faults.length === 0 || options.json !== true) return printError(options, thrown)
    print(options, { ok: false, file: configFile(options), faults }, () => '')
    return EXIT.bad_input
  }
}
