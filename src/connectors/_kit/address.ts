import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import ipaddr from 'ipaddr.js'
import { HubError } from '../../core/errors.ts'

export interface ResolvedAddress {
  address: string
  family: number
}

export type Resolve = (host: string) => Promise<ResolvedAddress[]>

/**
 * What a connection that is declared local may also reach. Link-local is left out on purpose: nothing but cloud metadata services
 * and neighbours that asked for no visitors lives there.
 */
const LOCAL_RANGES = new Set(['loopback', 'private', 'uniqueLocal', 'carrierGradeNat'])
/** Global unicast is all that has ever been handed out of IPv6; what lies outside (such as `::7f00:1`) has other meanings. */
const GLOBAL_UNICAST_V6 = ipaddr.IPv6.parseCIDR('2000::/3')

/** The system's own resolver, every address of both families. */
export const systemResolve: Resolve = (host) => lookup(host, { all: true, verbatim: true })

/**
 * Whether our calls may go to this IP address. Mapped, translated and tunnelled forms of IPv4 are refused as such: a name that
 * only has those is not a vendor's.
 */
export function mayReach(address: string, allow_private: boolean): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  const range: string = parsed.range()
  if (allow_private && LOCAL_RANGES.has(range)) return true
  if (range !== 'unicast') return false
  return parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).match(GLOBAL_UNICAST_V6)
}

/**
 * A lookup for `net.connect` that hands out only addresses it has checked itself, so that the address that was judged is the one
 * that is connected to: a name cannot change its answer in between. One forbidden address refuses the whole name.
 */
export function guardedLookup(resolve: Resolve, allow_private: boolean): LookupFunction {
  const check = callbackify(checkedAddresses)
  return (host, options, callback) => {
    check(resolve, host, allow_private, (error: NodeJS.ErrnoException | null, addresses?: ResolvedAddress[]) => {
      const first = addresses?.[0]
      if (error !== null || addresses === undefined || first === undefined) {
        callback(error ?? new HubError('vendor_unreachable', 'the host name has no address'), '', 4)
      } else if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

async function checkedAddresses(resolve: Resolve, host: string, allow_private: boolean): Promise<ResolvedAddress[]> {
  const addresses = await resolve(host)
  if (addresses.some(({ address }) => !mayReach(address, allow_private)))
    throw refused('the host name leads to a private address')
  return addresses
}

/**
 * The URL of one call, built from the connector's base and a path relative to it. Refused with `address_refused`: other protocols,
 * user info, unencrypted HTTP to the outside, IP literals that may not be reached (in whatever spelling: the URL parser has already
 * made `0x7f.1` and `2130706433` into `127.0.0.1`), and paths that are absolute, leave the base or are not percent-encoded.
 */
export function targetUrl(base: string, path: string, allow_private: boolean): URL {
  const root = parseUrl(base)
  if (root.protocol !== 'https:' && root.protocol !== 'http:') throw refused('the base URL is not HTTP')
  if (root.username !== '' || root.password !== '') throw refused('the base URL carries user info')
  if (root.protocol === 'http:' && !allow_private)
    throw refused('the base URL is not encrypted and the connection is not declared local')
  const literal = root.hostname.replace(/^\[|\]$/g, '')
  if (ipaddr.isValid(literal) && !mayReach(literal, allow_private))
    throw refused('the base URL names an address that may not be reached')
  if (/^[a-z][a-z0-9+.-]*:|^\/\/|[\\#]|[^!-~]/i.test(path)) throw refused('the path is not relative to the base URL')
  const folder = root.pathname.replace(/\/+$/, '')
  const url = parseUrl(root.origin + folder + (path === '' || /^[/?]/.test(path) ? path : `/${path}`))
  const inside = url.pathname === (folder === '' ? '/' : folder) || url.pathname.startsWith(`${folder}/`)
  if (url.origin !== root.origin || !inside) throw refused('the path leaves the base URL')
  return url
}

function parseUrl(text: string): URL {
  try {
    return new URL(text)
  } catch {
    throw refused('the URL cannot be read')
  }
}

function refused(message: string): HubError {
  return new HubError('address_refused', message)
}
