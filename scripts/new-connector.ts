/**
 * `npm run new-connector -- <vendor> --kind marketplace`: the two folders of a new vendor, its samples, its test and its line in the
 * registry, green at once. What it writes speaks an invented protocol; the guide (docs/guides/write-a-connector.md) leads from there.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { KIND_TEMPLATES, type KindTemplate, type TemplateKind } from './connectorTemplates.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kind: { type: 'string' },
    label: { type: 'string' },
    root: { type: 'string' },
    // Formatting, golden documents and pages are then left to whoever called: a test makes one of every kind and checks them at once.
    'files-only': { type: 'boolean' },
  },
})
const kinds = Object.keys(KIND_TEMPLATES)
const [vendor = ''] = positionals
const kind = values.kind ?? ''
const root = values.root ?? dirname(import.meta.dirname)

const complaint = complaintOf()
if (complaint !== undefined) {
  process.stderr.write(
    `${complaint}\n  usage: npm run new-connector -- <vendor> --kind ${kinds.join(' | ')} [--label <name>]\n`,
  )
  process.exit(2)
}
const template: KindTemplate = KIND_TEMPLATES[kind as TemplateKind]
const label = values.label ?? `${vendor.charAt(0).toUpperCase()}${vendor.slice(1)}`
const files = filesOf()
for (const [path, text] of files) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
register()
if (values['files-only'] !== true) {
  run('npx', ['oxfmt', ...files.keys(), 'src/connectors/index.ts'])
  run('npx', ['vitest', 'run', '--project', 'unit', `test/connectors/${vendor}/`], { CROSSDOCK_GOLDEN: 'write' })
  run('npm', ['run', '--silent', 'docs'])
}
process.stdout.write(
  [
    `${label} is there, with its line in src/connectors/index.ts: ${[...files.keys()].join(', ')}`,
    'Next: put real samples into its test, read what they become in golden/, and follow docs/guides/write-a-connector.md.',
    '',
  ].join('\n'),
)

function complaintOf(): string | undefined {
  if (!/^[a-z][a-z0-9]{1,40}$/.test(vendor)) return 'the vendor is one word of lower-case letters and digits'
  if (!kinds.includes(kind)) return `the kind is one of ${kinds.join(', ')}`
  if (!/^[\w .()-]{1,60}$/.test(values.label ?? vendor))
    return 'the label has letters, digits, blanks, dots, brackets and dashes'
  if (existsSync(join(root, 'src/connectors', vendor))) return `there is a connector ${vendor} already`
  return undefined
}

function run(command: string, words: readonly string[], more: Record<string, string> = {}): void {
  const { status } = spawnSync(command, [...words], { cwd: root, stdio: 'inherit', env: { ...process.env, ...more } })
  if (status !== 0) process.exit(status ?? 1)
}

/** The registry in the order of its names: one import and one line. */
function register(): void {
  const path = join(root, 'src/connectors/index.ts')
  const text = readFileSync(path, 'utf8')
  const imported = text.replace(
    '/** The registry',
    `import { ${vendor} } from './${vendor}/index.ts'\n\n/** The registry`,
  )
  const names = [...(/= \{\n([^}]*)\}/.exec(imported)?.[1]?.matchAll(/^ {2}(\w+),$/gm) ?? [])].map(
    ([, name = '']) => name,
  )
  const list = [...names, vendor]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((name) => `  ${name},\n`)
    .join('')
  writeFileSync(path, imported.replace(/= \{\n[^}]*\}/, `= {\n${list}}`).replace(/\n\n(import )/g, '\n$1'))
}

function filesOf(): ReadonlyMap<string, string> {
  return new Map([
    [`src/mappings/${vendor}/${template.topic}.ts`, mappingText()],
    [`src/connectors/${vendor}/index.ts`, connectorText()],
    [`src/connectors/${vendor}/README.md`, readmeText()],
    [`test/mappings/${vendor}/samples.ts`, `/** As the vendor writes it; replace it by what its documentation shows. */\nexport const SAMPLE = ${template.sample}\n`], // prettier-ignore
    [`test/connectors/${vendor}/contract.test.ts`, testText()],
  ])
}

function mappingName(): string {
  return `${vendor}${template.topic.charAt(0).toUpperCase()}${template.topic.slice(1)}`
}

function mappingText(): string {
  const context = template.words === '' && !template.facts.includes('context.') ? '' : ', context'
  return `import Type from 'typebox'
${template.uses}

/** Only what is read: a vendor that adds fields breaks nothing. */
const Payload = ${template.schema}

${template.words}
/** What the vendor tells of one ${template.topic}, as the hub knows it. */
export const ${mappingName()} = defineMapping({
  from: Payload,
  map: (document${context}) => ${template.facts},
})
`
}

function connectorText(): string {
  const { topic, stream, changed } = template
  return `import { createHash } from 'node:crypto'
import Type from 'typebox'
import { checker } from '../../core/model/validate.ts'
import { ${mappingName()} } from '../../mappings/${vendor}/${topic}.ts'
import { defineConnector, type PulledItem, type PulledPage, type PullRequest, type Port } from '../_kit/define.ts'
import { pagesByCursor } from '../_kit/pagination.ts'
import { bodySignature, verifyScheme } from '../_kit/signatures.ts'

const Secret = { minLength: 8, secret: true } as const
const Settings = Type.Object(
  {
    api_url: Type.String({ pattern: '^https?://[^?#]+$', description: 'Address of the API' }),
    access_token: Type.String({ ...Secret, description: 'Token with the right to read' }),
    webhook_secrets: Type.Array(Type.String(Secret), {
      minItems: 1,
      maxItems: 2,
      description: 'Secret of the webhooks; two while it is being rotated',
    }),
  },
  { additionalProperties: false },
)

/** HMAC-SHA256 of the raw body; other schemes are data as well (\`_kit/signatures.ts\`). */
const SIGNATURE = bodySignature('x-${vendor}-signature')

/** How far back the very first pull goes. */
const FIRST_REACH_MS = 30 * 86_400_000
/** A vendor that says at page after page that there is more has to be given up some time. */
const PAGES_MAX = 1_000

const open = { additionalProperties: true } as const
const readPage = checker(
  Type.Object(
    {
      items: Type.Array(Type.Object({ ${changed}: Type.String({ format: 'date-time' }) }, open)),
      next: Type.Union([Type.String(), Type.Null()]),
    },
    open,
  ),
  'vendor_response_invalid',
)

export const ${vendor} = defineConnector({
  id: '${vendor}',
  label: '${label}',
  kind: '${kind}',
  grade: 'fixtures',
  settings: Settings,
  http: {
    baseUrl: ({ api_url }) => api_url,
    headers: ({ access_token }) => ({ authorization: \`Bearer \${access_token}\` }),
    limit: () => ({ calls: 10, per_ms: 1_000 }),
  },
  webhook: {
    content_types: ['application/json'],
    verify: (request, { webhook_secrets }) => verifyScheme(SIGNATURE, request, webhook_secrets),
    topics: ['${topic}.changed'],
    topic: ({ headers }) => (headers['x-${vendor}-topic'] === '${topic}.changed' ? '${topic}' : 'ignore'),
    dedupeKey: ({ headers }) => headers['x-${vendor}-delivery'] ?? '',
  },
  inbound: { ${topic}: ${mappingName()} },
  pull: { ${stream}: pullChanged },
  test: async (port) => \`\${(await readList(port, {})).items.length} ${stream} on the first page\`,
})

/**
 * What has changed since the last pull, oldest change first. A time is kept and not the vendor's own cursor: the hub may come back days
 * later, and a cursor is seldom good for so long.
 */
async function* pullChanged(port: Port, { cursor, overlap_ms, now }: PullRequest): AsyncGenerator<PulledPage> {
  const from_ms = cursor === null ? now.getTime() - FIRST_REACH_MS : Date.parse(cursor) - overlap_ms
  const since = new Date(from_ms).toISOString()
  let seen = cursor ?? since
  const list = { what: 'the list of ${stream}', pages_max: PAGES_MAX }
  const pages = pagesByCursor(list, async (after) => await readList(port, after === undefined ? { since } : { after }))
  for await (const items of pages) {
    for (const { ${changed} } of items) if (Date.parse(${changed}) > Date.parse(seen)) seen = ${changed}
    // The cursor is stored with its items in one transaction, so a pull resumes where it stopped.
    if (items.length > 0) yield { items: items.map(itemOf), cursor: seen }
  }
}

async function readList(port: Port, query: Readonly<Record<string, string>>): Promise<ReturnType<typeof readPage>> {
  const call = { operation: '${stream}.list', method: 'GET', path: '/${stream}', query, repeat: 'safe' } as const
  return readPage((await port.http.request(call)).body)
}

/** The same document in the same state has the same key, so that what is seen twice is stored once. */
function itemOf(payload: object): PulledItem {
  return { topic: '${topic}', dedupe_key: createHash('sha256').update(JSON.stringify(payload)).digest('hex'), payload }
}
`
}

function readmeText(): string {
  return `# ${label}

What a merchant needs to switch it on, and what is peculiar about it.

## Set-up

1. Make an API token with the right to read ${template.stream}.
2. Point the vendor's webhooks at \`/webhooks/<connection>\`, topic \`${template.topic}.changed\`.

## Checked against

Nothing yet but invented samples: every field, word, limit and signature here is the scaffold's. Say of each fact where it comes from
(specification, documentation page, a live account), and name what could not be checked.
`
}

function testText(): string {
  const unknown =
    template.unknown === null
      ? ''
      : `    unknown_words: [{ name: '${template.topic}', topic: '${template.topic}', payload: ${template.unknown} }],\n`
  return `import { signHmac } from '../../../src/connectors/_kit/signatures.ts'
import { ${vendor} } from '../../../src/connectors/${vendor}/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'
import { SAMPLE } from '../../mappings/${vendor}/samples.ts'

const SECRETS = ['new-webhook-secret', 'old-webhook-secret']

connectorContract(
  {
    connector: ${vendor},
    settings: (api) => ({ api_url: api, access_token: 'token-0123456789', webhook_secrets: SECRETS }),
    webhook: {
      bodies: [SAMPLE, { ...SAMPLE, note: 'another one' }],
      header: 'x-${vendor}-signature',
      rotates: true,
      sign: (body, at_ms, secret) => ({
        body,
        headers: {
          'content-type': 'application/json',
          'x-${vendor}-topic': '${template.topic}.changed',
          'x-${vendor}-delivery': signHmac(body, 'delivery', 'hex'),
          'x-${vendor}-signature': signHmac(body, SECRETS[secret] ?? '', 'base64'),
        },
        received_at_ms: at_ms,
      }),
    },
    samples: [{ name: '${template.topic}', topic: '${template.topic}', payload: SAMPLE }],
${unknown}    endless: { stream: '${template.stream}', answer: (_request, page) => ({ items: [SAMPLE], next: \`\${page}\` }) },
  },
  import.meta.dirname,
)
`
}
