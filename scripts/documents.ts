import type { Argument, Command, Option } from 'commander'
import type { TSchema } from 'typebox'
import { buildProgram } from '../src/cli/main.ts'
import { ConfigSchema } from '../src/config/schema.ts'
import { connectors } from '../src/connectors/index.ts'
import type { Connector } from '../src/connectors/_kit/define.ts'
import { describeConnector, type CapabilityText } from '../src/connectors/_kit/describe.ts'

/**
 * The documents that are made from the code, by path from the root of the repository. `npm run docs` writes them, and a test fails when
 * what is written says something else than the code.
 */
export function documents(): ReadonlyMap<string, string> {
  const pages = Object.values(connectors).map(
    (connector) => [`docs/connectors/${connector.id}.md`, connectorPage(connector)] as const,
  )
  return new Map([
    ['docs/cli.md', cliPage(buildProgram())],
    ['docs/configuration.md', configurationPage()],
    ['docs/connectors/index.md', connectorIndex(Object.values(connectors))],
    ...pages,
  ])
}

const made = (from: string): string => `<!-- Made from ${from} by \`npm run docs\`. Change that, not this. -->`
/** Text of a table's cell: a bar would end it, and an angle bracket outside of code would begin HTML. */
function cell(text: string): string {
  const parts = text.replaceAll('\n', ' ').replaceAll('|', '\\|').split('`')
  return parts.map((part, index) => (index % 2 === 0 ? part.replaceAll('<', '&lt;') : part)).join('`')
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

function tableOf(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return []
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line), '']
}

// ── command line ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const CLI_INTRO = `# Command line

${made('the command tree (`src/cli`)')}

\`npx crossdock <command>\`. \`--config\` and \`--json\` may stand before or after the command. Without \`--config\` the file is the one that
CROSSDOCK_CONFIG names, else \`./config/crossdock.yaml\`, else the sandbox that comes with the program. Commands find the database of the
running hub by that file; where none runs, they start the built-in one for themselves.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | a check failed (\`verify\`, \`doctor\`, \`demo\`, \`connections test\`, \`migrate --status\`), or a fault of ours or of the database |
| 2 | bad input: an unknown command, a wrong option, something that does not exist, a payload that does not map, a broken configuration |

With \`--json\` standard output is one JSON document whose \`ok\` says whether all is well. Lists are
\`{"ok":true,"rows":[…],"next_cursor":"…"|null}\`. What could not be done is
\`{"ok":false,"error":{"code":"…","message":"…","path":"…","hint":"…"}}\`, where \`path\` is the place in the payload or the configuration
(\`$\` for the whole payload) and \`code\` one of the codes in \`src/core/errors.ts\`.
`

function cliPage(program: Command): string {
  const globals = program.options.filter((option) => option.long !== '--version')
  const commands = leaves(program)
  const list = commands.map(([name, command]) => [`[\`${name}\`](#${anchor(name)})`, cell(command.description())])
  return [
    CLI_INTRO,
    ...tableOf(['command', 'what it does'], list),
    '## Options of every command',
    '',
    ...optionTable(globals),
    ...commands.flatMap(([name, command]) => commandSection(name, command)),
  ].join('\n')
}

/** Commands that do something, with the words that lead to them. */
function leaves(command: Command, words: readonly string[] = []): [string, Command][] {
  const children = command.commands.filter((child) => child.name() !== 'help')
  if (children.length === 0) return [[words.join(' '), command]]
  return children.flatMap((child) => leaves(child, [...words, child.name()]))
}

const anchor = (name: string): string => `crossdock-${name.replaceAll(' ', '-')}`

function commandSection(name: string, command: Command): string[] {
  const places = command.registeredArguments
  const options = command.options.map(optionWord)
  return [
    `## crossdock ${name}`,
    '',
    sentence(command.description()),
    '',
    '```',
    ['crossdock', name, ...places.map(placeWord), ...options].join(' '),
    '```',
    '',
    ...tableOf(
      ['argument', 'meaning'],
      places.map((place) => [`\`${cell(place.name())}\``, cell(place.description)]),
    ),
    ...optionTable(command.options),
  ]
}

function placeWord(place: Argument): string {
  const name = `${place.name()}${place.variadic ? '…' : ''}`
  return place.required ? `<${name}>` : `[${name}]`
}

const optionWord = (option: Option): string => (option.mandatory ? option.flags : `[${option.flags}]`)

function optionTable(options: readonly Option[]): string[] {
  const rows = options.map((option) => [
    `\`${option.flags}\``,
    cell(
      [option.description, ...(option.argChoices === undefined ? [] : [`(${option.argChoices.join(', ')})`])].join(' '),
    ),
    option.defaultValue === undefined ? '' : `\`${String(option.defaultValue)}\``,
  ])
  return tableOf(['option', 'meaning', 'default'], rows)
}

// ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The keywords of a schema that a table of settings shows. */
interface Node {
  type?: string
  description?: string
  default?: unknown
  enum?: unknown[]
  const?: unknown
  minimum?: number
  maximum?: number
  minItems?: number
  maxItems?: number
  format?: string
  pattern?: string
  secret?: boolean
  required?: string[]
  properties?: Record<string, Node>
  items?: Node
  anyOf?: Node[]
}

interface Setting {
  path: string
  node: Node
  isRequired: boolean
}

/** Every value a person may write, by its path; `[]` stands for each entry of a list. A section is its settings and no row itself. */
function settingsIn(node: Node, path: string): Setting[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]): Setting[] => {
    const place = path === '' ? name : `${path}.${name}`
    const isRequired = (node.required ?? []).includes(name) && child.default === undefined
    const entry = child.items
    if (child.properties !== undefined) return settingsIn(child, place)
    if (entry?.properties !== undefined) return settingsIn(entry, `${place}[]`)
    const branches = (child.anyOf ?? []).filter((branch) => branch.properties !== undefined)
    const inside = branches.flatMap((branch) =>
      settingsIn(branch, place).map((setting) => ({ setting, kind: kindWord(branch) })),
    )
    if (inside.length === 0) return [{ path: place, node: child, isRequired }]
    return inside
      .filter(({ setting }) => setting.path !== `${place}.kind`)
      .map(({ setting, kind }) => ({ ...setting, path: `${setting.path} (${kind})` }))
      .toSpliced(0, 0, { path: `${place}.kind`, node: { ...unionOf(branches), ...descriptionOf(child) }, isRequired })
  })
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? 'one way'))
const kindWord = (branch: Node): string => wordOf(branch.properties?.['kind']?.const)
const unionOf = (branches: readonly Node[]): Node => ({ enum: branches.map(kindWord) })
const descriptionOf = ({ description }: Node): Node => (description === undefined ? {} : { description })

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  number: 'number',
  boolean: 'true or false',
}

function typeWord(node: Node): string {
  const words = node.enum ?? (node.anyOf ?? []).map((branch) => branch.const).filter((word) => word !== undefined)
  if (words.length > 0) return words.map((word) => `\`${cell(JSON.stringify(word).slice(1, -1))}\``).join(', ')
  if (node.type === 'array') return `list of ${typeWord(node.items ?? {})}`
  const { minimum, maximum } = node
  const range = minimum === undefined || maximum === undefined ? '' : ` ${minimum} to ${maximum}`
  return `${TYPES[node.type ?? ''] ?? 'settings'}${range}`
}

const isSecret = (node: Node): boolean => node.secret === true || node.items?.secret === true

function presetWord({ node, isRequired }: Setting): string {
  if (isRequired) return '**required**'
  return node.default === undefined || node.default === '' ? '' : `\`${cell(JSON.stringify(node.default))}\``
}

function settingRows(schema: TSchema): string[][] {
  return settingsIn(JSON.parse(JSON.stringify(schema)) as Node, '').map((setting) => [
    `\`${setting.path}\``,
    typeWord(setting.node),
    presetWord(setting),
    cell([...(isSecret(setting.node) ? ['🔒 secret.'] : []), setting.node.description ?? ''].join(' ').trim()),
  ])
}

const CONFIGURATION_INTRO = `# Configuration

${made('the schema of the configuration (`src/config/schema.ts`)')}

One YAML file. \`\${NAME}\` is replaced from the environment, \`\${NAME:-default}\` has a default, \`\${file:path}\` is the content of a file (a
mounted secret), and \`$\${\` is a plain \`\${\`. Relative paths start from the file's folder. \`crossdock config check\` reports every fault at
once with its line; \`crossdock config print\` shows what the hub makes of the file, without secrets. Editors complete it by
\`config/schema.json\`. \`config/example.production.yaml\` is a start.

What stands under \`connections[].settings\` is on the page of [its connector](connectors/index.md).
`

function configurationPage(): string {
  return [CONFIGURATION_INTRO, ...tableOf(['setting', 'values', 'default', 'meaning'], settingRows(ConfigSchema))].join(
    '\n',
  )
}

// ── connectors ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const names = (texts: readonly CapabilityText[]): string => texts.map(({ name }) => name).join(', ') || 'nothing'

function connectorIndex(all: readonly Connector[]): string {
  const rows = all
    .map(describeConnector)
    .map((described) => [
      `[${described.label}](${described.id}.md)`,
      `\`${described.id}\``,
      described.kind,
      names(described.in),
      names(described.out),
      described.proven_against,
    ])
  return [
    '# Connectors',
    '',
    made('the connectors (`src/connectors`)'),
    '',
    ...tableOf(['vendor', 'connector', 'kind', 'in', 'out', 'proven against'], rows),
    'How to add one: [write a connector](../guides/write-a-connector.md).',
    '',
  ].join('\n')
}

const capabilityTable = (texts: readonly CapabilityText[]): string[] =>
  texts.length === 0
    ? ['Nothing.', '']
    : tableOf(
        ['what', 'how'],
        texts.map(({ name, how }) => [name, cell(how)]),
      )

function connectorPage(connector: Connector): string {
  const described = describeConnector(connector)
  const facts: [string, string][] = [
    ['connector', `\`${described.id}\``],
    ['kind', described.kind],
    ['proven against', described.proven_against],
    ...(described.auth === null ? [] : [['sign-in', described.auth] as [string, string]]),
    ...(described.limit === null ? [] : [['limit', described.limit] as [string, string]]),
    ['`connections test`', described.test],
  ]
  const list = (heading: string, words: readonly string[]): string[] =>
    words.length === 0 ? [] : [heading, '', ...words.map((word) => `- \`${word}\``), '']
  return [
    `# ${described.label}`,
    '',
    made(`\`src/connectors/${described.id}\``),
    '',
    `Set-up and quirks: [README](../../src/connectors/${described.id}/README.md).`,
    '',
    ...tableOf(['', ''], facts),
    '## In',
    '',
    ...capabilityTable(described.in),
    '## Out',
    '',
    ...capabilityTable(described.out),
    '## Settings',
    '',
    ...tableOf(['setting', 'values', 'default', 'meaning'], settingRows(connector.settings)),
    ...list('## Topics that `crossdock preview` takes', described.topics),
    ...list('## Webhook topics', described.webhook_topics),
    ...list('## Formats of payout files', described.settlement_formats),
  ].join('\n')
}
