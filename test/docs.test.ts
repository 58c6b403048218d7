import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { documents } from '../scripts/documents.ts'
import { buildProgram } from '../src/cli/main.ts'
import { configFaults, loadConfig } from '../src/config.ts'
import { connectors } from '../src/connectors/index.ts'

const ROOT = dirname(import.meta.dirname)
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

test.each([...documents()])('%s says what the code says (npm run docs writes it)', (path, text) => {
  expect(read(path)).toBe(text)
})

test('every connector has its page, which names every setting and marks the secrets', () => {
  for (const [id, connector] of Object.entries(connectors)) {
    const page = documents().get(`docs/connectors/${id}.md`) ?? ''
    const names = Object.keys((connector.settings as unknown as { properties: object }).properties)
    for (const name of names) expect(page, `${id} ${name}`).toMatch(new RegExp(`^\\| \`${name}[\`.[]`, 'm'))
    expect(page.includes('🔒'), id).toBe(JSON.stringify(connector.settings).includes('"secret":true'))
  }
})

test('every command is in the page of the command line', () => {
  const page = documents().get('docs/cli.md') ?? ''
  for (const command of buildProgram().commands) expect(page).toContain(`## crossdock ${command.name()}`)
})

test('the pages and guides link to files that exist', () => {
  const pages = [
    ...documents().keys(),
    'docs/guides/finance.md',
    'docs/guides/inventory.md',
    'docs/guides/operations.md',
    'docs/guides/write-a-connector.md',
  ]
  const links = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, link = '']) =>
      resolve(ROOT, dirname(page), link),
    ),
  )
  expect(links.length).toBeGreaterThan(10)
  expect(links.filter((link) => !existsSync(link))).toEqual([])
})

/** Every `${NAME}` without a default. */
const VARIABLES: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://hub:secret@db.example:5432/crossdock',
  CROSSDOCK_VAULT_KEY: Buffer.alloc(32, 1).toString('base64'),
  SHOPIFY_ACCESS_TOKEN: 'shpat_example',
  SHOPIFY_WEBHOOK_SECRET: 'shopify-webhook-secret',
  SHOPIFY_LOCATION_ID: 'gid://shopify/Location/1',
  WOO_CONSUMER_KEY: 'ck_example',
  WOO_CONSUMER_SECRET: 'cs_example',
  WOO_WEBHOOK_SECRET: 'woo-webhook-secret',
  DEPOT_SFTP_PASSWORD: 'sftp-password',
  DEPOT_HOST_KEY: `SHA256:${'A'.repeat(43)}`,
  DALLAS_SFTP_PASSWORD: 'sftp-password',
  DALLAS_HOST_KEY: `SHA256:${'B'.repeat(43)}`,
  EASYPOST_API_KEY: 'EZAK0123456789',
  EASYPOST_WEBHOOK_SECRET: 'easypost-webhook-secret',
  ODOO_API_KEY: '0123456789abcdef0123456789abcdef01234567',
  STRIPE_API_KEY: 'rk_live_example',
  STRIPE_WEBHOOK_SECRET: 'whsec_example',
}

test('the production example is sound, uses every connector that was proven, and asks for each of its variables', () => {
  const file = join(ROOT, 'config', 'example.production.yaml')
  const config = loadConfig(file, { connectors, variables: VARIABLES })
  const used = new Set(config.connections.map(({ connector }) => connector))
  const proven = Object.values(connectors).filter(({ grade }) => grade !== 'fixtures')
  expect(proven.filter(({ id }) => !used.has(id)).map(({ id }) => id)).toEqual([])
  expect(config.hub.environment).toBe('production')
  for (const name of Object.keys(VARIABLES)) {
    const { [name]: _, ...rest } = VARIABLES
    const thrown = (() => {
      try {
        return loadConfig(file, { connectors, variables: rest })
      } catch (error) {
        return error
      }
    })()
    expect(
      configFaults(thrown).map(({ message }) => message),
      name,
    ).toContain(`the environment variable ${name} is not set`)
  }
})
