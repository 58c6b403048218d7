import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { asHubError, HubError } from '../../core/errors.ts'
import { parseJson, retryAfterMs } from './answers.ts'
import type { TokenGrant } from './define.ts'
import type { Send, WireEnd } from './wire.ts'

/** A token as it is kept between processes. Times are spans, so that nobody's clock has to agree with anybody's. */
export interface KeptToken {
  access_token: string
  refresh_token: string | null
  grant_hash: string
  lifetime_ms: number
  remaining_ms: number
}

export interface HeldTokens {
  read: () => Promise<KeptToken | undefined>
  /** Resolves once the token cannot be lost any more. */
  write: (token: Omit<KeptToken, 'remaining_ms'>) => Promise<void>
}

/** Where the token of one connection is kept, for every process of the hub. */
export interface TokenStore extends Pick<HeldTokens, 'read'> {
  /** Runs `work` unless another process is in the middle of its own: then `false`, at once. */
  exclusively: (work: (held: HeldTokens) => Promise<void>) => Promise<boolean>
}

export interface Tokens {
  /** One that is good for a while. */
  current: () => Promise<string>
  /** One that is not `refused`, which the vendor has just answered with 401: another's, if somebody has renewed it meanwhile. */
  instead: (refused: string) => Promise<string>
}

/** One call of the token endpoint, for the attempt log: nothing of what was sent or received is in it. */
export interface TokenAttempt {
  url: URL
  grant: TokenGrant['grant']['kind']
  status: number | null
  duration_ms: number
  fault: HubError | undefined
}

export interface TokenOptions {
  connection_id: string
  grant: TokenGrant
  /** The grant's address, judged. */
  url: () => URL
  store: TokenStore
  send: Send
  /** Runs a call under the connection's breaker. */
  guard: <T>(work: () => Promise<T>) => Promise<T>
  observe: (attempt: TokenAttempt) => void
  now: () => Date
}

const OPERATION = 'token'
const TIMEOUT_MS = 20_000
const ANSWER_BYTES_MAX = 100_000
/** Renewed this long before it ends, though never before nine tenths of its life are over. */
const MARGIN_MS_MAX = 300_000
/** RFC 6749 section 5.1 only recommends `expires_in`; one that ends earlier is noticed by a 401. */
const LIFETIME_MS_DEFAULT = 3_600_000
/** How long another process may take with its renewal before we give up, and how often we look whether it is done. */
const WAIT_MS_MAX = 45_000
const LOOK_EVERY_MS = 50
/** The endpoint is busy or not well; any other 4xx means that no call can work until somebody corrects the grant. */
const PASSING = new Set([408, 425, 429])

/**
 * Bearer tokens of one connection (RFC 6749 sections 4.4 and 6). One process renews for all, and inside a process one call for all:
 * a refresh token that rotates may be used only once. A new one is stored before its access token is used.
 */
export function createTokens(options: TokenOptions): Tokens {
  let cached: { token: string; good_until_ms: number } | undefined
  const underWay = new Map<string, Promise<string>>()
  const remember = (kept: KeptToken): string => {
    cached = { token: kept.access_token, good_until_ms: options.now().getTime() + kept.remaining_ms - marginMs(kept) }
    return kept.access_token
  }
  const shared = (refused: string): Promise<string> => {
    const found = underWay.get(refused)
    if (found !== undefined) return found
    const work = obtain(options, refused).then(remember).finally(() => underWay.delete(refused)) // prettier-ignore
    underWay.set(refused, work)
    return work
  }
  return {
    current: async () =>
      cached !== undefined && options.now().getTime() < cached.good_until_ms ? cached.token : await shared(''),
    instead: (refused) => shared(refused),
  }
}

const marginMs = ({ lifetime_ms }: KeptToken): number => Math.min(MARGIN_MS_MAX, lifetime_ms / 10)

/** The kept token while it is fresh and not the refused one; else a renewed one, by us or by whoever was first. */
async function obtain(options: TokenOptions, refused: string): Promise<KeptToken> {
  const { store } = options
  const grant_hash = hashOf(options.grant)
  const fits = (kept: KeptToken | undefined): KeptToken | undefined =>
    kept?.grant_hash === grant_hash ? kept : undefined
  const fresh = (kept: KeptToken | undefined): boolean =>
    kept !== undefined && kept.access_token !== refused && kept.remaining_ms > marginMs(kept)
  const started = performance.now()
  for (;;) {
    const kept = fits(await store.read())
    if (kept !== undefined && fresh(kept)) return kept
    const usable = kept !== undefined && kept.access_token !== refused && kept.remaining_ms > 0 ? kept : undefined
    let renewed: KeptToken | undefined
    try {
      const held = await store.exclusively(async (rows) => {
        const seen = fits(await rows.read())
        renewed = seen !== undefined && fresh(seen) ? seen : await renew(options, grant_hash, seen, rows)
      })
      if (held && renewed !== undefined) return renewed
    } catch (thrown) {
      // What was renewed is stored, whatever became of the lock; and before its end the old one still serves.
      if (renewed !== undefined) return renewed
      if (usable !== undefined && asHubError(thrown).next === 'retry') return usable
      throw thrown
    }
    if (usable !== undefined) return usable
    if (performance.now() - started > WAIT_MS_MAX)
      throw new HubError(
        'vendor_timeout',
        `${options.connection_id} is waiting for its token, which is renewed elsewhere`,
      )
    await sleep(LOOK_EVERY_MS)
  }
}

async function renew(
  options: TokenOptions,
  grant_hash: string,
  seen: KeptToken | undefined,
  rows: HeldTokens,
): Promise<KeptToken> {
  const { grant } = options.grant
  const refresh_token = grant.kind === 'refresh_token' ? (seen?.refresh_token ?? grant.refresh_token) : null
  const granted = await options.guard(() => ask(options, refresh_token))
  const rotated = grant.kind === 'refresh_token' && grant.rotates ? (granted.refresh_token ?? refresh_token) : null
  const token = {
    access_token: granted.access_token,
    refresh_token: rotated,
    grant_hash,
    lifetime_ms: granted.lifetime_ms,
  }
  await rows.write(token)
  return { ...token, remaining_ms: token.lifetime_ms }
}

/**
 * What makes a kept token worthless when it changes: the address, the client, the grant as configured. The client's secret is left
 * out, because vendors let it be replaced under a refresh token that lives on.
 */
function hashOf({ url, client, grant }: TokenGrant): string {
  const refresh_token = grant.kind === 'refresh_token' ? grant.refresh_token : ''
  const parts = [url, client.id, grant.kind, refresh_token, grant.scope ?? '']
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

interface Granted {
  access_token: string
  refresh_token: string | null
  lifetime_ms: number
}

async function ask(options: TokenOptions, refresh_token: string | null): Promise<Granted> {
  const { client, grant, headers } = options.grant
  const url = options.url()
  const started = performance.now()
  const form = {
    grant_type: grant.kind,
    ...(refresh_token === null ? {} : { refresh_token }),
    ...(grant.scope === undefined ? {} : { scope: grant.scope }),
    ...(client.sent_as === 'form' ? { client_id: client.id, client_secret: client.secret } : {}),
  }
  const basic = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`
  const end = await options.send({
    operation: OPERATION,
    // A refresh token that rotates is used up by the first call that arrives: no socket that may die in the middle.
    repeat: grant.kind === 'refresh_token' && grant.rotates ? 'once' : 'safe',
    method: 'POST',
    url,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(client.sent_as === 'basic' ? { authorization: basic } : {}),
      ...headers,
    },
    body: new URLSearchParams(form).toString(),
    timeout_ms: TIMEOUT_MS,
    answer_bytes_max: ANSWER_BYTES_MAX,
  })
  const duration_ms = Math.round(performance.now() - started)
  const granted = grantedBy(end, duration_ms, options.now())
  const fault = granted instanceof HubError ? granted : undefined
  options.observe({ url, grant: grant.kind, status: end.fault === undefined ? end.status : null, duration_ms, fault })
  if (granted instanceof HubError) throw granted
  return granted
}

/** Pure: what the token endpoint's answer is worth. Its life is counted from when it was asked for, which is before it was given. */
function grantedBy(end: WireEnd, waited_ms: number, now: Date): Granted | HubError {
  // What is unknown here is the token; of the call that it was wanted for nothing has left us.
  if (end.fault?.code === 'outcome_unknown') return new HubError('vendor_timeout', end.fault.message)
  if (end.fault !== undefined) return end.fault
  const { status } = end
  const json = parseJson(end.bytes.toString('utf8'))
  const body = json.ok && typeof json.value === 'object' && json.value !== null ? json.value : {}
  const wait_ms = retryAfterMs(end.headers['retry-after'], now)
  const detail = { status, ...(wait_ms === undefined ? {} : { retry_after_ms: wait_ms }) }
  if (PASSING.has(status)) return new HubError('vendor_throttled', `the token endpoint answered ${status}`, detail)
  if (status >= 500) return new HubError('vendor_unavailable', `the token endpoint answered ${status}`, detail)
  if (status < 200 || status >= 300) {
    return new HubError('vendor_auth', `no token was granted: ${status}${wordOf(body)}`, {
      status,
      hint: 'check the client id, its secret and the grant of the connection; a refresh token may have been revoked',
    })
  }
  const access_token = 'access_token' in body ? body.access_token : undefined
  if (typeof access_token !== 'string' || !/^[!-~]{1,16384}$/.test(access_token))
    return new HubError('vendor_response_invalid', 'the token endpoint answered without a token', { status })
  const refresh = 'refresh_token' in body ? body.refresh_token : undefined
  return {
    access_token,
    refresh_token: typeof refresh === 'string' && refresh !== '' ? refresh : null,
    lifetime_ms: Math.max(0, lifetimeMs('expires_in' in body ? body.expires_in : undefined) - waited_ms),
  }
}

/** Seconds, as a number or as text. */
function lifetimeMs(expires_in: unknown): number {
  const text = typeof expires_in === 'number' || typeof expires_in === 'string' ? String(expires_in) : ''
  return /^\d{1,10}(\.\d+)?$/.test(text) ? Math.floor(Number(text) * 1000) : LIFETIME_MS_DEFAULT
}

/** The short word of RFC 6749 section 5.2; sentences are left out. */
function wordOf(body: object): string {
  const word = 'error' in body ? body.error : undefined
  return typeof word === 'string' && /^[\w.-]{1,40}$/.test(word) ? ` (${word})` : ''
}
