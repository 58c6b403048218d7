import { describe, expect, it } from 'vitest'
import { HubError } from '../../../src/core/errors.ts'
import { guardedLookup, mayReach, targetUrl, type ResolvedAddress } from '../../../src/connectors/_kit/address.ts'

/** Every spelling of a place that a vendor's API cannot be at. */
const FORBIDDEN_HOSTS = [
  '127.0.0.1', '127.1', '127.0.1', '127.255.255.254', '0x7f.0.0.1', '0x7f000001', '0x7F.1', '2130706433', '017700000001', '0177.0.0.1',
  '0177.0.0.0x1', '127.0.0.1.', '0', '0.0.0.0', '0.0.0.1', '00.0.0.0', '10.0.0.1', '10.255.255.255', '0x0a000001', '012.0.0.1', '167772161',
  '172.16.0.1', '172.31.255.255', '192.168.0.1', '192.168.1', '3232235521', '100.64.0.1', '100.127.255.255', '169.254.169.254',
  '169.254.43518', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '192.0.0.1', '192.0.0.170', '192.0.2.1', '198.18.0.1', '198.19.255.255',
  '198.51.100.7', '203.0.113.9', '192.88.99.1', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255', '１２７.0.0.1', '127。0。0。1',
  '[::]', '[::1]', '[0:0:0:0:0:0:0:1]', '[::127.0.0.1]', '[::7f00:1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::FFFF:10.0.0.1]',
  '[::ffff:8.8.8.8]', '[::ffff:0:127.0.0.1]', '[64:ff9b::7f00:1]', '[64:ff9b::8.8.8.8]', '[64:ff9b:1::a00:1]', '[2002:7f00:1::]',
  '[2002:a00:1::1]', '[2001:0:7f00:1::]', '[2001:0:4136:e378:8000:63bf:3fff:fdd2]', '[fc00::1]', '[fd12:3456::1]', '[fe80::1]', '[fec0::1]',
  '[ff02::1]', '[100::1]', '[2001:db8::1]', '[3fff::1]', '[2001:2::1]', '[2001:10::1]', '[5f00::1]', '[4000::1]',
] // prettier-ignore

const code = (work: () => unknown): string => {
  try {
    work()
    return 'allowed'
  } catch (thrown) {
    return thrown instanceof HubError ? thrown.code : 'crashed'
  }
}

describe('addresses', () => {
  it('has a table worth the name', () => {
    expect(new Set(FORBIDDEN_HOSTS).size).toBeGreaterThanOrEqual(60)
  })

  it.each(FORBIDDEN_HOSTS)('refuses a base URL at %s', (host) => {
    expect(code(() => targetUrl(`https://${host}/api`, '/orders', false))).toBe('address_refused')
  })

  it.each(['8.8.8.8', '1.1.1.1', '93.184.216.34', '2606:4700:4700::1111', '2a00:1450:4001:80b::200e'])(
    'lets %s pass',
    (address) => {
      expect(mayReach(address, false)).toBe(true)
    },
  )

  it.each(['127.0.0.1', '10.1.2.3', '192.168.1.1', '::1', 'fd00::1', '100.64.0.1'])(
    'lets %s pass for a local connection only',
    (address) => {
      expect([mayReach(address, false), mayReach(address, true)]).toEqual([false, true])
    },
  )

  it.each(['169.254.169.254', 'fe80::1', '0.0.0.0', '224.0.0.1', '::ffff:127.0.0.1', 'example.com', ''])(
    'keeps %s from local connections too',
    (address) => {
      expect(mayReach(address, true)).toBe(false)
    },
  )

  it.each([
    'https://evil.example/x', 'HTTPS://evil.example', '//evil.example/x', '/\\evil.example', '\\\\evil.example', 'javascript:alert(1)', 'file:///etc/passwd',
    '/../../other', '/orders/../../../other', '/%2e%2e/%2e%2e/other', '..', '/orders#frag', '/or ders', '/orders\r\nhost: x', '/ü', 'data:text/html,x',
  ])('refuses the path %j', (path) => {
    expect(code(() => targetUrl('https://shop.example/admin/api', path, false))).toBe('address_refused')
  }) // prettier-ignore

  it.each([
    ['https://shop.example', '', 'https://shop.example/'],
    ['https://shop.example/', '/orders', 'https://shop.example/orders'],
    ['https://shop.example/admin/api/', 'orders.json', 'https://shop.example/admin/api/orders.json'],
    ['https://shop.example/admin/api', '', 'https://shop.example/admin/api'],
    ['https://shop.example/admin', '/a/../b?x=1', 'https://shop.example/admin/b?x=1'],
  ])('joins %s and %j', (base, path, url) => {
    expect(targetUrl(base, path, false).href).toBe(url)
  })

  it.each([
    'http://shop.example',
    'ftp://shop.example',
    'https://user:pass@shop.example',
    'file:///x',
    'shop.example',
    '',
  ])('refuses the base %j', (base) => {
    expect(code(() => targetUrl(base, '/x', false))).toBe('address_refused')
  })

  it('allows plain HTTP for a local connection', () => {
    expect(targetUrl('http://127.0.0.1:8080/api', '/x', true).href).toBe('http://127.0.0.1:8080/api/x')
  })

  it.each([
    { name: 'one private among public', answers: [['93.184.216.34', '10.0.0.1']] },
    { name: 'mapped', answers: [['::ffff:10.0.0.1']] },
    { name: 'rebound at the second look', answers: [['93.184.216.34'], ['127.0.0.1']] },
  ])('refuses a name that leads inside: $name', async ({ answers }) => {
    let turn = 0
    const resolve = (): Promise<ResolvedAddress[]> =>
      Promise.resolve(
        (answers[Math.min(turn++, answers.length - 1)] ?? []).map((address) => ({
          address,
          family: address.includes(':') ? 6 : 4,
        })),
      )
    const lookup = guardedLookup(resolve, false)
    const ask = (): Promise<string> =>
      new Promise((done) =>
        lookup('shop.example', { all: true }, (error) => done(error instanceof HubError ? error.code : 'allowed')),
      )
    const endings = [await ask(), await ask()]
    expect(endings.at(-1)).toBe('address_refused')
  })
})
