import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { runDemo, type DemoResult } from './demo.ts'
import { readConfig, type CommonOptions } from './options.ts'
import { EXIT, print, table } from './output.ts'

interface DemoCliOptions extends CommonOptions {
  seconds: string
  rate: string
  seed: string
}

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description("trades on simulated vendors for a while and lets the vendors' own ledgers judge the hub")
    .option('--seconds <n>', 'how long to trade', '20')
    .option('--rate <n>', 'orders a second, all storefronts together', '20')
    .option('--seed <n>', 'the same seed brings the same buyers and faults', '1')
    .option('--json', 'one JSON document')
    .action(async (_options: DemoCliOptions, command: Command) => {
      const options = command.optsWithGlobals<DemoCliOptions>()
      const numbers = { seconds: positive(options.seconds, '--seconds'), orders_per_second: positive(options.rate, '--rate'), seed: positive(options.seed, '--seed') }
      const tell = (line: string): void => void process.stderr.write(options.json === true ? '' : `${line}\n`)
      const result = await runDemo(readConfig(options), numbers, tell)
      print(options, result, () => demoText(result))
      if (!result.ok) process.exitCode = EXIT.failed
    })
}

function positive(text: string, name: string): number {
  const value = Number(text)
  if (!(Number.isFinite(value) && value > 0)) throw new HubError('bad_request', `${name} must be a number above 0`)
  return value
}

function demoText(result: DemoResult): string {
  const rows = Object.entries(result).flatMap(([name, value]): [string, string][] =>
    typeof value === 'object' ? Object.entries(value).map(([inner, number]) => [`${name}.${inner}`, String(number)]) : [[name, String(value)]],
  )
  return table(['figure', 'value'], rows)
}
