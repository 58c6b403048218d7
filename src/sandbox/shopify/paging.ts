/** Shopify's way of handing out a list: a page, and the key of its last entry as the cursor. */
export interface Paging {
  first?: number
  after?: string | null
}

export function pageOf<T>(all: readonly T[], keyOf: (item: T) => string, { first = 50, after }: Paging) {
  const start = after ? all.findIndex((item) => keyOf(item) > Buffer.from(after, 'base64').toString()) : 0
  const items = start < 0 ? [] : all.slice(start, start + first)
  const last = items.at(-1)
  return {
    items,
    pageInfo: {
      hasNextPage: start >= 0 && start + first < all.length,
      endCursor: last === undefined ? null : Buffer.from(keyOf(last)).toString('base64'),
    },
  }
}

const numberKey = (index: number): string => String(index).padStart(6, '0')

/** A connection over a list whose order never changes. */
export function connection<T>(all: readonly T[], toNode: (item: T) => unknown) {
  return (paging: Paging) => {
    const page = pageOf([...all.entries()], ([index]) => numberKey(index), paging)
    return { pageInfo: page.pageInfo, nodes: page.items.map(([, item]) => toNode(item)) }
  }
}
