import type { Command } from 'commander'
import { systemParts } from '../main/parts.ts'
import { print } from './output.ts'
import { PREVIEW_KINDS, preview, readInput } from './preview.ts'

export function addPreviewCommand(program: Command): void {
  program
    .command('preview')
    .description('maps a vendor payload without storing anything')
    .argument('<connector>', 'which vendor, e.g. shopify')
    .argument('<kind>', PREVIEW_KINDS.join(' | '))
    .argument('<file>', 'the payload, or - for standard input')
    .option('--json', 'one JSON document')
    .action((connector: string, kind: string, file: string, options: { json?: boolean }) => {
      const result = preview(connector, kind, readInput(file, systemParts().clock.now()))
      print(options, result, () => [JSON.stringify(result.facts, null, 2), ...result.warnings.map((warning) => `warning: ${warning}`)].join('\n'))
    })
}
