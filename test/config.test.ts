import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  configFaults,
  configJsonSchema,
  environment,
  loadConfig,
  redactConfig,
  vaultKey,
  type Config,
  type ConfigFault,
} from '../src/config.ts'
import { connectors as registry } from '../src/connectors/index.ts'
import { connectors, GOOD, PLANTED } from './kit/sampleConfig.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crossdock-config-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function load(text: string, variables: Record<string, string> = {}): Promise<Config> {
  const file = join(folder, 'hub.yaml')
  await writeFile(file, text)
  return loadConfig(file, { connectors, variables })
}

async function faultsOf(text: string, variables: Record<string, string> = {}): Promise<readonly ConfigFault[]> {
  try {
    await load(text, variables)
  } catch (thrown) {
    const faults = configFaults(thrown)
    if (faults.length === 0) throw thrown
    return faults
  }
  return []
}

describe('a good file', () => {
  test('gets its defaults, absolute paths, and is frozen to the bottom', async () => {
    const config = await load(GOOD)
    expect(config.hub).toEqual({
      host: '127.0.0.1',
      port: 8080,
      log_level: 'info',
      environment: 'sandbox',
      worker_port: 0,
      public_url: '',
    })
    expect(config.connections[0]).toMatchObject({
      local: false,
      listings: 'by_sku',
      orders: { unpaid: 'hold', hold_minutes: 60, shortfall: 'partial' },
      availability: { buffer: 0, share_percent: 100, push: true },
      pull: { overlap_seconds: 120 },
      webhooks: { body_bytes_max: 1_048_576 },
      settings: { sandbox: false },
    })
    expect(config.database).toEqual({ url: '', data_dir: join(folder, '..', '.crossdock', 'postgres'), pool_max: 20 })
    expect(config.vault_key_file).toBe(`${config.database.data_dir}.vault-key`)
    expect(Object.isFrozen(config.connections[0]?.settings)).toBe(true)
  })

  test('may be empty, and a section whose entries are all commented out is no fault', async () => {
    expect((await load('')).connections).toEqual([])
    expect((await load('users:\n# - nobody\nhub:\n')).users).toEqual([])
  })
})

describe('references', () => {
  test('are replaced in texts, typed by the schema, and take defaults as a shell does', async () => {
    await mkdir(join(folder, 'secrets'))
    await writeFile(join(folder, 'secrets', 'token'), '12345678\n')
    const text = GOOD.replace('8080', '${PORT:-9}')
      .replace('acme.example', '"${NAME}.${ZONE:-example}"')
      .replace('a-very-secret-token', '${file:secrets/token}\n      sandbox: ${FLAG}\n      page_size: ${SIZE:-}')
      .replace('name: Acme }', () => "name: 'A $${NAME}' }")
    const config = await load(text, { PORT: '81', NAME: 'acme', FLAG: 'true', ZONE: '' })
    expect(config.hub.port).toBe(81)
    // The token stays text although it is all digits, and an empty optional number counts as not given.
    expect(config.connections[0]?.settings).toEqual({ domain: 'acme.example', token: '12345678', sandbox: true })
    expect(config.companies[0]?.name).toBe('A ${NAME}')
  })

  test('that lead nowhere are faults with path and line, one each', async () => {
    const text = GOOD.replace('8080', '${PORT}')
      .replace('acme.example', '${file:none}')
      .replace('a-very-secret-token', '${1x}')
    expect(await faultsOf(text)).toEqual([
      { path: 'hub.port', line: 1, message: 'the environment variable PORT is not set' },
      { path: 'connections[0].settings.domain', line: 30, message: 'the file none cannot be read (ENOENT)' },
      { path: 'connections[0].settings.token', line: 31, message: expect.stringContaining('is no reference') },
    ])
  })

  test('a plain text is never taken for a number, and a replaced one only where a number is wanted', async () => {
    expect(await faultsOf(GOOD.replace('8080', "'8080'"))).toMatchObject([
      { path: 'hub.port', message: 'must be a whole number' },
    ])
    expect(await faultsOf(GOOD.replace('8080', '${PORT}'), { PORT: '80 80' })).toMatchObject([{ path: 'hub.port' }])
  })
})

describe('a fault', () => {
  test.each(PLANTED)('$path $message is told with its line', async ({ from, to, line, path, message, allowed }) => {
    const text = GOOD.replace(from, to)
    expect(text).not.toBe(GOOD)
    const faults = await faultsOf(text)
    const expected = {
      path,
      line,
      message: expect.stringMatching(message),
      ...(allowed === undefined ? {} : { allowed }),
    }
    expect(faults).toContainEqual(allowed === undefined ? expect.objectContaining(expected) : expected)
  })

  test('property: of any faults planted together every one is told, in its own line', async () => {
    // Faults that add no lines, and at most one per line, so that each keeps the place it has alone.
    const plantable = PLANTED.filter(
      ({ from, to }) => from.split('\n').length === to.split('\n').length && !to.includes('kit'),
    )
    const subset = fc.uniqueArray(fc.nat(plantable.length - 1), {
      minLength: 1,
      maxLength: 8,
      selector: (index) => plantable[index]?.line,
    })
    await fc.assert(
      fc.asyncProperty(subset, async (indexes) => {
        const planted = indexes.flatMap((index) => plantable[index] ?? [])
        const faults = await faultsOf(planted.reduce((text, { from, to }) => text.replace(from, to), GOOD))
        // A connector that does not exist hides the settings, and a missing connection or company hides what depends on it.
        const hides = (path: string): boolean =>
          planted.some((other) => other.path === 'connections[0].connector') &&
          path.startsWith('connections[0].settings')
        const listingHidden = planted.some((other) => other.path === 'listings[0].connection')
        for (const { path, line } of planted) {
          if (hides(path) || (listingHidden && path.startsWith('listings[0].items'))) continue
          expect(faults).toContainEqual(expect.objectContaining({ path, line }))
        }
      }),
      { numRuns: 60 },
    )
  })

  test('is listed in the message by file and line, never with the value of a setting', async () => {
    const file = join(folder, 'hub.yaml')
    await writeFile(file, GOOD.replace('a-very-secret-token', 'hush').replace('kind: warehouse', 'kind: shed'))
    const expected = `2 faults in the configuration
  ${file}:6  locations[0].kind: is not one of the allowed values; allowed: warehouse, 3pl, store, drop_ship
  ${file}:31  connections[0].settings.token: must NOT have fewer than 8 characters`
    expect(() => loadConfig(file, { connectors, variables: {} })).toThrow(expected)
  })

  test('of the YAML itself names the line and quotes nothing of it', async () => {
    const faults = await faultsOf(GOOD.replace('token: a-very-secret-token', 'token: "a-very-secret-token'))
    expect(faults.length).toBeGreaterThan(0)
    expect(JSON.stringify(faults)).not.toContain('very-secret')
    expect(await faultsOf(`${GOOD}hub: {}\n`)).toMatchObject([{ line: 40, message: expect.stringContaining('unique') }])
  })

  test("production on a database of one's own needs a vault key", async () => {
    const text =
      'hub: { environment: production }\ndatabase: { url: "postgres://db/x" }\nsecrets:\n  vault_key: ${KEY:-}\n'
    expect(await faultsOf(text)).toMatchObject([{ path: 'secrets.vault_key', line: 4 }])
    expect(await faultsOf(text, { KEY: 'c2hvcnQ=' })).toMatchObject([{ path: 'secrets.vault_key', line: 4 }])
    expect(await faultsOf(text, { KEY: Buffer.alloc(32).toString('base64') })).toEqual([])
  })
})

describe('the items CSV', () => {
  const withCsv = GOOD.replace('items:\n', 'items_csv: ./items.csv\nitems:\n').replace(
    'sku: TENT, quantity: 1',
    'sku: ROPE, quantity: 1',
  )

  test('is merged with the items of the file, which win', async () => {
    await writeFile(
      join(folder, 'items.csv'),
      '\uFEFFSKU,Name,Company,Barcode\nROPE,"Rope, 10 m",acme,001\n\nMAT,Mat,acme,\n',
    )
    const { items } = await load(withCsv)
    expect(items).toContainEqual({ sku: 'ROPE', name: 'Rope, 10 m', company: 'acme', barcode: '001' })
    expect(items).toContainEqual({ sku: 'MAT', name: 'Mat', company: 'acme' })
    expect(items).toHaveLength(4)
  })

  test('says what units weigh and measure', async () => {
    await writeFile(join(folder, 'items.csv'), 'sku,company,weight_g,size_mm\nROPE,acme,1200,300x200x100\nMAT,acme,,\n')
    const { items } = await load(withCsv)
    expect(items).toContainEqual({ sku: 'ROPE', company: 'acme', weight_g: 1200, size_mm: [300, 200, 100] })
    expect(items).toContainEqual({ sku: 'MAT', company: 'acme' })
    await writeFile(join(folder, 'items.csv'), 'sku,company,weight_g,size_mm\nROPE,acme,,\nMAT,acme,1.2 kg,30x20\n')
    expect(await faultsOf(withCsv)).toMatchObject([
      { file: './items.csv', line: 3, path: 'weight_g' },
      { file: './items.csv', line: 3, path: 'size_mm' },
    ])
  })

  test('has its faults told by its own name and lines', async () => {
    await writeFile(join(folder, 'items.csv'), 'sku,company\nROPE,acme\n,acme\nPEG,nobody\nROPE,acme\n')
    const faults = await faultsOf(withCsv)
    expect(faults).toMatchObject([
      { file: './items.csv', line: 3, path: 'sku', message: 'is empty' },
      { file: './items.csv', line: 4, path: 'company', allowed: ['acme', 'other'] },
      { file: './items.csv', line: 5, path: 'sku', message: '"ROPE" is already given in line 2' },
    ])
    await writeFile(join(folder, 'items.csv'), 'code,company\nROPE,acme\n')
    expect(await faultsOf(withCsv)).toContainEqual(
      expect.objectContaining({ file: './items.csv', line: 1, path: 'sku' }),
    )
    await rm(join(folder, 'items.csv'))
    expect(await faultsOf(withCsv)).toContainEqual(
      expect.objectContaining({ file: './items.csv', message: 'the file cannot be read (ENOENT)' }),
    )
  })
})

test('redaction hides marked settings, hashes, the vault key and passwords in URLs, and nothing else', async () => {
  const key = Buffer.alloc(32, 7).toString('base64')
  const text = `${GOOD}secrets: { vault_key: ${key} }
redis: { url: 'redis://:r3d1s@cache:6379' }
database: { url: 'postgres://app:pgpass@db/x' }
users: [{ name: ann, role: admin, password_hash: 'scrypt$abc' }]
`.replace('token: a-very-secret-token', 'token: a-very-secret-token\n      regions: [{ code: eu, key: regional-key }]')
  const config = await load(text)
  const shown = redactConfig(config)
  for (const secret of ['a-very-secret-token', 'regional-key', 'hunter2', 'r3d1s', 'pgpass', 'scrypt$abc', key]) {
    expect(JSON.stringify(config)).toContain(secret)
    expect(JSON.stringify(shown)).not.toContain(secret)
  }
  expect(shown.connections[0]?.settings).toEqual({
    domain: 'acme.example',
    token: '[redacted]',
    sandbox: false,
    regions: [{ code: 'eu', key: '[redacted]' }],
  })
  expect([shown.database.url, shown.redis.url]).toEqual([
    'postgres://app:[redacted]@db/x',
    'redis://:[redacted]@cache:6379',
  ])
  expect(shown.locations).toEqual(config.locations)
})

test('the vault key is the configured one, or one made once for its owner alone', async () => {
  const file = join(folder, 'data', 'key')
  const keys = await Promise.all([vaultKey('', file), vaultKey('', file), vaultKey('', file)])
  expect(new Set(keys.map((key) => key.toString('base64'))).size).toBe(1)
  expect([keys[0]?.length, (await stat(file)).mode & 0o777]).toEqual([32, 0o600])
  expect(await vaultKey(Buffer.alloc(32, 9).toString('base64'), file)).toEqual(Buffer.alloc(32, 9))
  await writeFile(file, 'c2hvcnQ=\n')
  await expect(vaultKey('', file)).rejects.toMatchObject({ code: 'vault_sealed' })
})

test('config/schema.json is the one that the types give', async () => {
  const written: unknown = JSON.parse(await readFile(join(import.meta.dirname, '..', 'config', 'schema.json'), 'utf8'))
  const given = configJsonSchema({ ...registry })
  expect(written, 'run: npm run docs').toEqual(JSON.parse(JSON.stringify(given)))
  expect(JSON.stringify(configJsonSchema(connectors))).toContain('"const":"depot"')
})

test('the environment is read in one place', () => {
  expect(environment({ CROSSDOCK_CONFIG: '/etc/x.yaml', NO_COLOR: '1' })).toEqual({
    config_file: '/etc/x.yaml',
    no_color: true,
  })
  expect(environment({})).toEqual({ config_file: undefined, no_color: false })
})
