import type { Command } from 'commander'
import { positiveNumber, wholeNumber } from './arguments.ts'
import { runDemo, type DemoResult } from './demo.ts'
import { readConfig, type CommonOptions } from './options.ts'
import { EXIT, print, table } from './output.ts'

interface DemoCliOptions extends CommonOptions {
  seconds: number
  rate: number
  seed: number
}

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description("trades on simulated vendors for a while and lets the vendors' own ledgers judge the hub")
    .option('--seconds <n>', 'how long to trade', positiveNumber, 20)
    .option('--rate <n>', 'orders a second, all storefronts together', positiveNumber, 20)
    .option('--seed <n>', 'the same seed brings the same buyers and faults', wholeNumber, 1)
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<DemoCliOptions>()
      const { seconds, rate, seed } = options
      const tell = (line: string): void => void process.stderr.write(options.json === true ? '' : `${line}\n`)
      const result = await runDemo(readConfig(options), { seconds, orders_per_second: rate, seed }, tell)
      print(options, result, () => demoText(result))
      if (!result.ok) process.exitCode = EXIT.failed
    })
}

function demoText(result: DemoResult): string {
  const rows = Object.entries<unknown>({ ...result }).flatMap(([name, value]): [string, string][] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).map(([inner, number]) => [`${name}.${inner}`, String(number)])
      : [[name, String(value)]],
  )
  return table(['figure', 'value'], rows)
}
