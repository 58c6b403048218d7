import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HubError } from '../../../src/core/errors.ts'
import {
  everyItem,
  linkOf,
  pagesByCursor,
  pagesByLink,
  pagesByNumber,
  timeWindows,
} from '../../../src/connectors/_kit/pagination.ts'

const list = { what: 'orders', pages_max: 5 }

async function faultOf(pages: AsyncIterable<unknown>): Promise<{ read: number; message: string; code: string }> {
  let read = 0
  try {
    for await (const _page of pages) read += 1
  } catch (thrown) {
    if (thrown instanceof HubError) return { read, message: thrown.message, code: thrown.code }
    throw thrown
  }
  return expect.fail('was expected to throw')
}

describe('pages by cursor', () => {
  const chain = (pages: Record<string, { items: number[]; next?: string | null }>) => {
    const asked: (string | undefined)[] = []
    const read = (cursor: string | undefined) => {
      asked.push(cursor)
      const page = pages[cursor ?? ''] ?? expect.fail(`no page ${cursor}`)
      return Promise.resolve({ items: page.items, next: page.next })
    }
    return { asked, read }
  }

  it('end where there is no next one, and go on after an empty one', async () => {
    const { asked, read } = chain({
      '': { items: [1, 2], next: 'b' },
      b: { items: [], next: 'c' },
      c: { items: [3], next: null },
    })
    expect(await everyItem(pagesByCursor(list, read))).toEqual([1, 2, 3])
    expect(asked).toEqual([undefined, 'b', 'c'])
  })

  it.each([[undefined], [null], ['']])('end at a next of %j', async (next) => {
    expect(await everyItem(pagesByCursor(list, () => Promise.resolve({ items: [1], next })))).toEqual([1])
  })

  it('start where the last run stopped', async () => {
    const { read } = chain({ b: { items: [2] } })
    expect(await everyItem(pagesByCursor({ ...list, from: 'b' }, read))).toEqual([2])
  })

  it.each([
    ['itself', { '': { items: [1], next: 'a' }, a: { items: [2], next: 'a' } }, 2],
    ['one before', { '': { items: [1], next: 'a' }, a: { items: [2], next: 'b' }, b: { items: [3], next: 'a' } }, 3],
  ])('that lead back to %s are a fault', async (_to, pages, read) => {
    expect(await faultOf(pagesByCursor(list, chain(pages).read))).toEqual({ read, code: 'vendor_response_invalid', message: 'orders came back to a page that was read before' }) // prettier-ignore
  })

  it('that lead back to where the run started are a fault', async () => {
    const { read } = chain({ b: { items: [1], next: 'b' } })
    expect(await faultOf(pagesByCursor({ ...list, from: 'b' }, read))).toMatchObject({ read: 1 })
  })

  it('that do not end are a fault', async () => {
    let count = 0
    const pages = pagesByCursor(list, () => Promise.resolve({ items: [count], next: `${(count += 1)}` }))
    expect(await faultOf(pages)).toEqual({ read: 5, code: 'vendor_response_invalid', message: 'orders did not end after 5 pages' }) // prettier-ignore
  })

  it('are asked for one after another, only as far as somebody reads', async () => {
    const { asked, read } = chain({ '': { items: [1], next: 'b' } })
    for await (const page of pagesByCursor(list, read)) {
      expect(page).toEqual([1])
      break
    }
    expect(asked).toEqual([undefined])
  })
})

describe('pages by number', () => {
  it('are counted from one to the last', async () => {
    const pages = pagesByNumber(list, (page) => Promise.resolve({ items: [page * 10], last: page === 3 }))
    expect(await everyItem(pages)).toEqual([10, 20, 30])
  })

  it('that do not end are a fault', async () => {
    const pages = pagesByNumber(list, () => Promise.resolve({ items: [], last: false }))
    expect(await faultOf(pages)).toMatchObject({ read: 5, message: 'orders did not end after 5 pages' })
  })
})

describe('a link header', () => {
  it.each([
    ['<https://a.example/x?page=2>; rel="next"', 'https://a.example/x?page=2'],
    ['<https://a.example/1>; rel="prev", <https://a.example/3>; rel="next"', 'https://a.example/3'],
    ['<https://a.example/1,2;3>; rel=next', 'https://a.example/1,2;3'],
    ['</x?a=1>;title="a, b; rel=\\"next\\"";REL="first Next"', '/x?a=1'],
    ['<https://a.example/3>; title="next"; rel="last"', undefined],
    ['<https://a.example/3>; rel="nextish"', undefined],
    ['<https://a.example/3>', undefined],
    ['rel="next"', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%j leads to %j', (header, target) => {
    expect(linkOf(header, 'next')).toBe(target)
  })

  it('takes no time over a header that was made to take long', () => {
    const started = performance.now()
    for (const hostile of [
      `<${'<'.repeat(20_000)}`,
      `<a>${' ; a'.repeat(10_000)}"`,
      `<a>; a="${'\\"'.repeat(10_000)}`,
      `<a>${' '.repeat(20_000)}x`,
    ])
      expect(linkOf(hostile, 'next')).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(1_000)
  })
})

describe('pages by link', () => {
  const base_url = 'https://shop.example/api/v1/'
  const answers = (links: Record<string, string>) => {
    const asked: string[] = []
    const ask = (path: string) => {
      asked.push(path)
      const link = links[path]
      return Promise.resolve({ status: 200, headers: link === undefined ? {} : { link: `<${link}>; rel="next"` }, body: [path], text: '' }) // prettier-ignore
    }
    return {
      asked,
      pages: pagesByLink({ ...list, path: '/orders?limit=2', base_url }, ask, (body) => body as string[]),
    }
  }

  it('follow absolute and relative links inside the API', async () => {
    const { asked, pages } = answers({
      '/orders?limit=2': 'https://shop.example/api/v1/orders?page_info=b&limit=2',
      '/orders?page_info=b&limit=2': '?page_info=c',
      '/orders?page_info=c': '/api/v1/orders?page_info=d',
    })
    expect(await everyItem(pages)).toHaveLength(4)
    expect(asked.at(-1)).toBe('/orders?page_info=d')
  })

  it.each([
    'https://evil.example/api/v1/orders',
    'http://shop.example/api/v1/orders',
    'https://shop.example/api/v10/orders',
    'https://shop.example/admin',
    '/api/v1/../admin',
    '//evil.example/api/v1',
    'javascript:alert(1)',
  ])('do not follow %s', async (link) => {
    const { asked, pages } = answers({ '/orders?limit=2': link })
    expect(await faultOf(pages)).toMatchObject({ code: 'vendor_response_invalid', message: 'orders links to a page outside its API' }) // prettier-ignore
    expect(asked).toHaveLength(1)
  })

  it('that go round are a fault', async () => {
    expect(await faultOf(answers({ '/orders?limit=2': '?limit=2' }).pages)).toMatchObject({ read: 1 })
  })
})

describe('windows of time', () => {
  it('cover a stretch without gaps or overlaps, none longer than asked for', () => {
    const day_ms = 86_400_000
    fc.assert(
      fc.property(fc.nat(400 * day_ms), fc.integer({ min: 1, max: 31 }), (length_ms, days) => {
        const from = new Date('2026-01-01T00:00:00Z')
        const to = new Date(from.getTime() + length_ms)
        const windows = [...timeWindows(from, to, days * day_ms)]
        expect(windows.length).toBe(Math.ceil(length_ms / (days * day_ms)))
        for (const [i, window] of windows.entries()) {
          expect(window.from).toEqual(i === 0 ? from : windows[i - 1]!.to)
          expect(window.to.getTime() - window.from.getTime()).toBeLessThanOrEqual(days * day_ms)
          expect(window.to > window.from).toBe(true)
        }
        if (length_ms > 0) expect(windows.at(-1)!.to).toEqual(to)
      }),
    )
  })

  it('are none where time does not go forward, and have a length', () => {
    const now = new Date()
    expect([...timeWindows(now, now, 1)]).toEqual([])
    expect([...timeWindows(now, new Date(now.getTime() - 1), 1)]).toEqual([])
    for (const span of [0, -1, Number.NaN]) expect(() => [...timeWindows(now, now, span)]).toThrow(HubError)
  })
})
