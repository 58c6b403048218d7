import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { redact, redactPath } from '../../../src/connectors/_kit/redact.ts'

const CANARIES = {
  name: 'Canary-Name', email: 'canary@mail.example', phone: '+4915100000001', street: 'Canary Street 7', city: 'Canaryville', zip: '99099',
  token: 'shpat_canary0000000000000000000000', password: 'canary-password', note: 'canary-note',
} // prettier-ignore

describe('redaction', () => {
  it('keeps what explains a call', () => {
    const order = {
      id: 'gid://shopify/Order/1', sku: 'TEE-M', quantity: 3, status: 'paid', currency_code: 'EUR', amount: '12.34', paid: true,
      line_items: [{ line_item_id: 7, price: '1.00' }], userErrors: [{ code: 'INVALID', field: 'quantity' }], tracking_number: 'PP0001',
    } // prettier-ignore
    expect(redact(order)).toEqual(order)
  })

  it.each([
    [{ message: 'a text' }, { message: '…' }],
    [{ id: 'two words' }, { id: '…' }],
    [{ id: CANARIES.email }, { id: '…' }],
    [
      { zip_code: 'E1 6AN', phone_number: '123' },
      { zip_code: '…', phone_number: '…' },
    ],
    [{ phone: 15551234567 }, { phone: '…' }],
    [
      { access_token: 'x', api_key: 'abc', client_secret: 'y' },
      { access_token: '…', api_key: '…', client_secret: '…' },
    ],
    [
      { shippingAddress: { id: 'A1', countryCode: 'DE', type: 'home' } },
      { shippingAddress: { id: 'A1', countryCode: '…', type: '…' } },
    ],
    [{ customer: { id: 5, code: 'ANNA' } }, { customer: { id: 5, code: '…' } }],
    [{ 'jo@mail.example': 1 }, { '…': '…' }],
    [{ code: 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7' }, { code: '…' }],
    ['text', '…'],
    [null, null],
    [undefined, null],
  ])('of %j leaves %j', (value, left) => {
    expect(redact(value)).toEqual(left)
  })

  it('leaves no canary, wherever it was put', () => {
    const canary = fc.constantFrom(...Object.values(CANARIES))
    const keys = fc.constantFrom(
      ...Object.keys(CANARIES),
      'firstName',
      'last_name',
      'address1',
      'body_html',
      'title',
      'recipient',
      'text',
      'value_text',
    )
    const branches = fc.constantFrom(
      'customer',
      'billing_address',
      'shippingAddress',
      'ship_to',
      'order',
      'lines',
      'data',
    )
    const document = fc.letrec((tie) => ({
      leaf: fc.dictionary(keys, canary, { minKeys: 1, maxKeys: 4 }),
      tree: fc.oneof(
        { maxDepth: 4 },
        tie('leaf'),
        fc.dictionary(branches, fc.oneof(tie('tree'), fc.array(tie('tree'), { maxLength: 3 })), { maxKeys: 3 }),
      ),
    })).tree
    fc.assert(
      fc.property(document, (value) => {
        const text = JSON.stringify(redact(value))
        return Object.values(CANARIES).every((secret) => !text.includes(secret))
      }),
      { numRuns: 3_000 },
    )
  })

  it('is bounded in size and depth', () => {
    let deep: unknown = 'x'
    for (let i = 0; i < 5_000; i += 1) deep = { order: deep }
    expect(JSON.stringify(redact(deep)).length).toBeLessThan(500)
    const wide = redact({
      ids: Array.from({ length: 10_000 }, (_, i) => i),
      rows: Array.from({ length: 500 }, () => Array.from({ length: 500 }, () => 'x')),
    })
    expect(JSON.stringify(wide).length).toBeLessThan(20_000)
  })

  it('does not touch prototypes', () => {
    const value: unknown = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}')
    redact(value)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  it.each([
    ['/orders/123.json', '/orders/123.json'],
    ['/orders?token=abc', '/orders'],
    ['/customers/jo@mail.example', '/customers/…'],
    ['/customers/jo%40mail.example', '/customers/…'],
    ['/hook/a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7', '/hook/…'],
    ['/orders/0192f0c1-1111-7222-8333-444455556666', '/orders/0192f0c1-1111-7222-8333-444455556666'],
  ])('shows the path %s as %s', (path, shown) => {
    expect(redactPath(path)).toBe(shown)
  })
})
