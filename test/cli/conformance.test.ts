import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { conformance } from '../../src/cli/conformance.ts'
import { runCli } from '../../src/cli/main.ts'
import { wooOrderSample } from '../mappings/woocommerce/samples.ts'

const NOW = new Date('2026-11-20T12:00:00Z')
let root = ''
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'crossdock-samples-'))))
afterEach(() => rmSync(root, { recursive: true, force: true }))

function keep(path: string, content: unknown): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content))
}

it('says of each sample whether it maps or why it is parked, and passes over what holds no payload', async () => {
  keep('woocommerce/orders-list.json', [wooOrderSample(), wooOrderSample({ id: 4712 })])
  keep('woocommerce/order-broken.json', wooOrderSample({ total: 12 }))
  keep('woocommerce/webhooks-create.json', { id: 142, name: 'Order updated', status: 'active' })
  keep('woocommerce/order-cut.json', '{"id": 1,')
  keep('woocommerce/specs/api.json', { openapi: '3.0.0' })
  keep('woocommerce/README.md', 'samples')
  keep('nobody/order-1.json', { id: 1 })
  const { verdicts, passed, ...counts } = await conformance(root, NOW)
  expect(counts).toMatchObject({ samples: 5, mapped: 1, parked: 4, crashed: 0, passed_over: 2 })
  expect(counts.vendors['woocommerce']).toMatchObject({ connector: 'woocommerce', samples: 4, mapped: 1, parked: 3 })
  expect(counts.vendors['nobody']).toMatchObject({ connector: null, parked: 1, causes: { unsupported: 1 } })
  const of = (name: string) => verdicts.find((verdict) => verdict.name === name)
  expect(of('orders-list.json')).toMatchObject({ outcome: 'mapped', topic: 'order', facts: 2 })
  expect(of('order-broken.json')).toMatchObject({ outcome: 'parked', topic: 'order', code: 'payload_invalid' })
  expect(of('webhooks-create.json')).toMatchObject({ outcome: 'parked', topic: null, code: 'unsupported' })
  expect(of('order-cut.json')).toMatchObject({ outcome: 'parked', code: 'payload_invalid' })
  expect(passed.map(({ name }) => name)).toEqual(['README.md', 'specs/api.json'])
})

it('takes samples out of exchanges, sandbox answers, collections and API descriptions', async () => {
  const order = wooOrderSample()
  keep('woocommerce/exchange.json', { request: { method: 'GET' }, response: { status: 200, body: order } })
  keep('woocommerce/sandbox-orders.json', {
    static: [
      { request: {}, response: order },
      { request: {}, response: order },
    ],
  })
  keep('woocommerce/all.json', { resources: { order, customer: { id: 5 } } })
  keep('woocommerce/described.json', { openapi: '3.0.0', components: { examples: { order: { value: order } } } })
  const { verdicts } = await conformance(root, NOW)
  expect(verdicts.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
    'all.json#order mapped',
    'all.json#customer parked',
    'described.json#order mapped',
    'exchange.json mapped',
    'sandbox-orders.json#0 mapped',
    'sandbox-orders.json#1 mapped',
  ])
})

it('the last line is one JSON document, and a folder that is not there is bad input', async () => {
  keep('woocommerce/order.json', wooOrderSample())
  const lines: string[] = []
  const write = process.stdout.write.bind(process.stdout)
  process.stdout.write = (text: string | Uint8Array) => lines.push(...String(text).trimEnd().split('\n')) > 0
  try {
    expect(await runCli(['conformance', root, '--json'])).toBe(0)
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ samples: 1, mapped: 1, parked: 0, crashed: 0 })
    expect(await runCli(['conformance', join(root, 'gone'), '--json'])).toBe(2)
  } finally {
    process.stdout.write = write
  }
})
