import type { Command } from 'commander'
import { connectors } from '../connectors/index.ts'
import { describeConnector, type CapabilityText, type ConnectorDescription } from '../connectors/_kit/describe.ts'
import { HubError } from '../core/errors.ts'
import type { CommonOptions } from './options.ts'
import { print, table } from './output.ts'

/** The catalogue: which vendors the hub speaks with, and what it can do there. No configuration is needed. */
export function addConnectorCommands(program: Command): void {
  const group = program.command('connectors').description('the vendors that the hub can speak with')
  group
    .command('list')
    .description('what each of them takes in and is told, and against what that was proven')
    .action((_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const rows = Object.values(connectors).map(describeConnector)
      print(options, { rows, next_cursor: null }, () =>
        table(['connector', 'vendor', 'kind', 'in', 'out', 'proven against'], rows.map(rowOf)),
      )
    })
  group
    .command('info')
    .description('capabilities, sign-in, limits, webhooks and settings of one')
    .argument('<connector>', 'which vendor, e.g. shopify')
    .action((id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const connector = Object.hasOwn(connectors, id) ? connectors[id] : undefined
      if (connector === undefined) {
        const hint = `known: ${Object.keys(connectors).join(', ')}`
        throw new HubError('not_found', `there is no connector "${id}"`, { hint })
      }
      const description = describeConnector(connector)
      // The schema carries functions of its library; what a reader wants is its JSON.
      const settings: unknown = JSON.parse(JSON.stringify(connector.settings))
      print(options, { ...description, settings }, () => infoText(description))
    })
}

const rowOf = (description: ConnectorDescription): string[] => [
  description.id,
  description.label,
  description.kind,
  names(description.in),
  names(description.out),
  description.grade,
]

const names = (texts: readonly CapabilityText[]): string => texts.map(({ name }) => name).join(', ') || '-'

function infoText(description: ConnectorDescription): string {
  const facts: [string, string][] = [
    ['kind', description.kind],
    ['proven against', description.proven_against],
    ['sign-in', description.auth ?? '-'],
    ['limit', description.limit ?? '-'],
    ['connections test', description.test],
    ...description.in.map(({ name, how }): [string, string] => [`in: ${name}`, how.replaceAll('`', '')]),
    ...description.out.map(({ name, how }): [string, string] => [`out: ${name}`, how]),
    ['topics of preview', description.topics.join(', ') || '-'],
    ['webhook topics', description.webhook_topics.join(', ') || '-'],
    ['payout files', description.settlement_formats.join(', ') || '-'],
    ['settings', `docs/connectors/${description.id}.md, or with --json`],
  ]
  return table(['what', description.label], facts)
}
