import type { IncomingHttpHeaders } from 'node:http'

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

export const isSafeMethod = (method: string): boolean => SAFE_METHODS.has(method)

/**
 * Whether a browser says that the request comes from one of our own pages: by `Sec-Fetch-Site` (Fetch Metadata), by `Origin`, or by both.
 * A request that says nothing is not taken on trust; API clients use keys, which no other site can make a browser send.
 */
export function isSameSite(headers: IncomingHttpHeaders, publicOrigin: string | undefined): boolean {
  const site = headers['sec-fetch-site']
  const { origin, host } = headers
  if (site === undefined && origin === undefined) return false
  if (site !== undefined && site !== 'same-origin') return false
  return (
    origin === undefined || origin === publicOrigin || (host !== undefined && hostOf(origin) === host.toLowerCase())
  )
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
