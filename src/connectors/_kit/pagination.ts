import { HubError } from '../../core/errors.ts'
import type { HttpAnswer } from './port.ts'

/** How a list is named in a fault, and how many pages it may have: one that is longer is not cut short in silence. */
export interface ListRead {
  what: string
  pages_max: number
}

/** One page, and what the one after it is asked for by: a cursor, a token, the last id, an address. Nothing at the end. */
export interface CursorPage<T> {
  items: readonly T[]
  next: string | null | undefined
}

/**
 * The pages of a list that is read by cursor. An empty page may have one after it. Faults, as `vendor_response_invalid`: a cursor that
 * was handed out before, because that list would go round for ever, and a list that does not end after `pages_max` pages.
 */
export async function* pagesByCursor<T>(
  list: ListRead & { from?: string },
  read: (cursor: string | undefined) => Promise<CursorPage<T>>,
): AsyncGenerator<readonly T[]> {
  let cursor = list.from
  const seen = new Set([cursor])
  for (let page = 0; page < list.pages_max; page += 1) {
    const { items, next } = await read(cursor)
    yield items
    if (next === undefined || next === null || next === '') return
    if (seen.has(next))
      throw new HubError('vendor_response_invalid', `${list.what} came back to a page that was read before`)
    seen.add(next)
    cursor = next
  }
  throw endless(list)
}

/** The pages of a list that is read by number, from 1. `last` is what the vendor says of this page: the number of pages, a flag, a short page. */
export async function* pagesByNumber<T>(
  list: ListRead,
  read: (page: number) => Promise<{ items: readonly T[]; last: boolean }>,
): AsyncGenerator<readonly T[]> {
  for (let page = 1; page <= list.pages_max; page += 1) {
    const { items, last } = await read(page)
    yield items
    if (last) return
  }
  throw endless(list)
}

/**
 * The pages of a list whose answers link to the next one (RFC 8288). `ask` is given the path and query of each page, relative to the base
 * URL; a link that leads anywhere else is `vendor_response_invalid`.
 */
export async function* pagesByLink<T>(
  list: ListRead & { path: string; base_url: string },
  ask: (path: string) => Promise<HttpAnswer>,
  read: (body: unknown) => readonly T[],
): AsyncGenerator<readonly T[]> {
  yield* pagesByCursor({ what: list.what, pages_max: list.pages_max, from: list.path }, async (path) => {
    const { headers, body } = await ask(path ?? list.path)
    const link = linkOf(headers['link'], 'next')
    return { items: read(body), next: link === undefined ? undefined : pathUnder(list.base_url, path ?? list.path, link, list.what) } // prettier-ignore
  })
}

const LINK = /<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",;]+))?)*)/g
const PARAMETER = /;\s*([\w!#$&+.^`|~*-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]+)))?/g

/** The target of the first link of a relation in a `Link` header, as it is written there. Relations are compared without case. */
export function linkOf(header: string | undefined, relation: string): string | undefined {
  // A comma or semicolon may stand inside the address and inside quotes, so the header is not split at them.
  for (const [, target, parameters] of (header ?? '').matchAll(LINK)) {
    const rel = [...(parameters ?? '').matchAll(PARAMETER)].find(([, name]) => name?.toLowerCase() === 'rel')
    const words = (rel?.[2] ?? rel?.[3] ?? '').toLowerCase().split(/\s+/)
    if (words.includes(relation)) return target
  }
  return undefined
}

function pathUnder(base_url: string, path: string, link: string, what: string): string {
  const base = new URL(base_url)
  const folder = base.pathname.replace(/\/+$/, '')
  const url = URL.parse(link, `${base.origin}${folder}${path.startsWith('/') ? '' : '/'}${path}`)
  if (url === null || url.origin !== base.origin || !`${url.pathname}/`.startsWith(`${folder}/`))
    throw new HubError('vendor_response_invalid', `${what} links to a page outside its API`)
  return url.pathname.slice(folder.length) + url.search
}

export interface TimeWindow {
  /** Included. */
  from: Date
  /** Not included. */
  to: Date
}

/** A stretch of time in windows of at most `span_ms`, without gaps or overlaps, oldest first. Nothing where it does not go forward. */
export function* timeWindows(from: Date, to: Date, span_ms: number): Generator<TimeWindow> {
  if (!(span_ms >= 1)) throw new HubError('internal', 'a window of time has no length')
  for (let at_ms = from.getTime(); at_ms < to.getTime(); at_ms += span_ms)
    yield { from: new Date(at_ms), to: new Date(Math.min(at_ms + span_ms, to.getTime())) }
}

/** All items of all pages, for lists that are only of use whole. */
export async function everyItem<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const items: T[] = []
  for await (const page of pages) items.push(...page)
  return items
}

const endless = ({ what, pages_max }: ListRead): HubError =>
  new HubError('vendor_response_invalid', `${what} did not end after ${pages_max} pages`)
