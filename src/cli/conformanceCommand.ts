import type { Command } from 'commander'
import { systemParts } from '../main/parts.ts'
import { conformance, type SampleVerdict, type VendorCount } from './conformance.ts'
import { EXIT, print, printable, table } from './output.ts'
import type { CommonOptions } from './options.ts'

interface ConformanceOptions extends CommonOptions {
  all?: boolean
}

export function addConformanceCommand(program: Command): void {
  program
    .command('conformance')
    .description('runs a folder of vendors’ sample payloads through the mappings: which map, which are parked and why')
    .argument('<folder>', 'laid out as <vendor>/<topic>-<anything>.json (or .csv, .tsv, .edi …)')
    .option('--all', 'lists the mapped samples too')
    .action(async (folder: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<ConformanceOptions>()
      const { verdicts, passed, ...counts } = await conformance(folder, systemParts().clock.now())
      const shown = verdicts.filter(({ outcome }) => outcome !== 'mapped' || options.all === true)
      // For tools the counts are the last line; the table before it is for the person who looks at the log.
      if (options.json === true) process.stdout.write(`${vendorTable(counts.vendors)}\n`)
      print(options, { ...counts, verdicts: shown, passed }, () =>
        [...shown.map(lineOf), '', vendorTable(counts.vendors), '', summary(counts)].join('\n'),
      )
      if (counts.crashed > 0) process.exitCode = EXIT.failed
    })
}

function lineOf(verdict: SampleVerdict): string {
  const place = `${verdict.vendor}/${verdict.name}`
  if (verdict.outcome === 'mapped') return `mapped   ${place}: ${verdict.topic}, ${verdict.facts} fact(s)`
  const topic = verdict.topic === null ? '' : `as ${verdict.topic}: `
  return printable(`${verdict.outcome.padEnd(8)} ${place}: ${topic}${verdict.cause}`)
}

const vendorTable = (vendors: Readonly<Record<string, VendorCount>>): string =>
  table(
    ['vendor', 'connector', 'samples', 'mapped', 'parked', 'crashed', 'causes'],
    Object.entries(vendors).map(([vendor, count]) => [
      vendor,
      count.connector ?? '-',
      count.samples,
      count.mapped,
      count.parked,
      count.crashed,
      Object.entries(count.causes)
        .map(([code, times]) => `${times} ${code}`)
        .join(', '),
    ]),
  )

const summary = (counts: { samples: number; mapped: number; parked: number; crashed: number; passed_over: number }) =>
  `${counts.samples} samples: ${counts.mapped} mapped, ${counts.parked} parked, ${counts.crashed} crashed (${counts.passed_over} files hold no payload)`
