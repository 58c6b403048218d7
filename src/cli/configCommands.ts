import type { Command } from 'commander'
import { stringify } from 'yaml'
import { configFaults, redactConfig } from '../config.ts'
import { configFile, readConfig, type CommonOptions } from './options.ts'
import { errorDocument, EXIT, print, printError } from './output.ts'

export function addConfigCommands(program: Command): void {
  const config = program.command('config').description('the configuration file')
  config
    .command('check')
    .description('reports every fault with its path, line and allowed values')
    .action((_options: object, command: Command) => {
      process.exitCode = check(command.optsWithGlobals<CommonOptions>())
    })
  config
    .command('print')
    .description('the configuration as the hub sees it: defaults filled in, secrets replaced')
    .option('--redact', 'replace secrets (always done; accepted for scripts)')
    .action((_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const { secret_paths: _, ...shown } = redactConfig(readConfig(options))
      process.stdout.write(options.json === true ? `${JSON.stringify(shown)}\n` : stringify(shown))
    })
}

function check(options: CommonOptions): number {
  try {
    const config = readConfig(options)
    const summary = { file: config.file, connections: config.connections.length, items: config.items.length }
    print(options, summary, () => `${config.file} is fine: ${summary.connections} connections, ${summary.items} items`)
    return EXIT.ok
  } catch (thrown) {
    const faults = configFaults(thrown)
    if (faults.length === 0 || options.json !== true) return printError(options, thrown)
    print(options, { ...errorDocument(thrown), file: configFile(options), faults }, () => '')
    return EXIT.bad_input
  }
}
