import { HubError } from '../../core/errors.ts'
import { targetUrl } from './address.ts'
import { faultOfAnswer } from './answers.ts'
import type { Transfer } from './define.ts'
import type { WireEnd, WireRequest } from './wire.ts'

const TIMEOUT_MS = 120_000

/**
 * The address of a document, judged as a base URL is, and its host against the connector's list: what a vendor hands out is still
 * what somebody else has written. `address_refused` otherwise.
 */
export function transferUrl(transfer: Transfer, hosts: readonly string[], allow_private: boolean): URL {
  const url = URL.parse(transfer.url)
  if (url === null) throw new HubError('address_refused', `${transfer.operation}: the address cannot be read`)
  targetUrl(url.origin, '', allow_private)
  const known = hosts.some((host) => (host.startsWith('.') ? url.hostname.endsWith(host) : [url.hostname, url.host].includes(host))) // prettier-ignore
  if (!known || url.username !== '' || url.password !== '')
    throw new HubError('address_refused', `${transfer.operation}: documents are not fetched from this host`)
  return url
}

/** The connection's credentials are not among the headers: whose host this is, only the address says. */
export function transferRequest(transfer: Transfer, url: URL): WireRequest {
  return {
    operation: transfer.operation,
    repeat: 'safe',
    method: transfer.method,
    url,
    headers: {
      accept: '*/*',
      ...(transfer.bytes === undefined ? {} : { 'content-type': 'application/octet-stream' }),
      ...transfer.headers,
    },
    ...(transfer.bytes === undefined ? {} : { body: transfer.bytes }),
    timeout_ms: TIMEOUT_MS,
    answer_bytes_max: transfer.bytes_max,
  }
}

/** Pure: why this is not the document. An address that has lapsed says 401 or 403 and nothing about the connection's credentials. */
export function transferFault(transfer: Transfer, end: WireEnd, now: Date): HubError | undefined {
  if (end.fault !== undefined) return end.fault
  const { status } = end
  if (status === 401 || status === 403) {
    return new HubError('vendor_unavailable', `${transfer.operation} answered ${status}`, {
      status,
      hint: 'the address that the vendor handed out is no longer good; the next attempt asks for another',
    })
  }
  const call = { ...transfer, repeat: 'safe', path: '', headers: { accept: '*/*' } } as const
  return faultOfAnswer(call, { status, headers: end.headers, body: undefined, text: '' }, now)
}
