import type { Command } from 'commander'
import { redactConfig } from '../config.ts'
import { HubError } from '../core/errors.ts'
import { systemParts } from '../main/parts.ts'
import { readInput } from './input.ts'
import { readConfig, type CommonOptions } from './options.ts'
import { print } from './output.ts'
import { PREVIEW_KINDS, preview, withPath, type Preview } from './preview.ts'

interface PreviewOptions extends CommonOptions {
  connection?: string
}

export function addPreviewCommand(program: Command): void {
  program
    .command('preview')
    .description('maps a vendor payload without storing anything; exit code 2 with the place when it does not map')
    .argument('<connector>', 'which vendor, e.g. shopify')
    .argument('<kind>', `${PREVIEW_KINDS.join(' | ')}, or another topic of the connector`)
    .argument('<file>', 'a document, a list or batch of them as the API answers, a CSV file; - for standard input')
    .option('--connection <id>', 'whose settings to use, for what the payload leaves out (currency, delimiter)')
    .action(async (connector: string, kind: string, file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<PreviewOptions>()
      const result = await run(connector, kind, file, options)
      print(options, result, () => previewText(result))
    })
}

async function run(connector: string, kind: string, file: string, options: PreviewOptions): Promise<Preview> {
  try {
    const settings = settingsOf(connector, options)
    const input = await readInput(file)
    return preview({ connector, kind, input, now: systemParts().clock.now(), settings })
  } catch (thrown) {
    throw withPath(thrown)
  }
}

/** The configuration is read only when it is asked for: a preview works without one. */
function settingsOf(connector: string, options: PreviewOptions): Readonly<Record<string, unknown>> {
  const id = options.connection
  if (id === undefined) return {}
  const connections = redactConfig(readConfig(options)).connections.filter((entry) => entry.connector === connector)
  const found = connections.find((entry) => entry.id === id)
  if (found !== undefined) return found.settings
  const hint = `configured: ${connections.map((entry) => entry.id).join(', ') || 'none'}`
  throw new HubError('not_found', `there is no ${connector} connection "${id}"`, { hint })
}

const previewText = ({ facts, warnings }: Preview): string =>
  [JSON.stringify(facts, null, 2), ...warnings.map((warning) => `warning: ${warning}`)].join('\n')
