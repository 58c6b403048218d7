import Type from 'typebox'
import { asHubError, HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port } from '../_kit/define.ts'
import { JSON2_SINCE, modelName, resolveFields, rightsCall } from './dialect.ts'
import type { OdooSettings } from './settings.ts'
import { Pair } from './values.ts'

export interface CallArgs {
  /** Records that the method is called on; left out for methods of the model itself. */
  ids?: readonly number[]
  args?: Readonly<Record<string, unknown>>
  context?: Readonly<Record<string, unknown>>
}

/** Odoo through either of its protocols. */
export interface Odoo {
  readonly settings: OdooSettings
  readonly version: number
  readonly protocol: 'json2' | 'jsonrpc'
  /** Of the user, where logging in has told it. */
  readonly uid: number | null
  /** A call that changes nothing. */
  ask: (model: string, method: string, call: CallArgs) => Promise<unknown>
  /** A call that changes something: made once; whether it was done is found out by asking. */
  tell: (model: string, method: string, call: CallArgs) => Promise<unknown>
  /** What fields of version 19 are called here; null: there is none. */
  names: (model: string, fields: readonly string[]) => Promise<Readonly<Record<string, string | null>>>
  /** Whether the user may do this with records of the model, as far as rights of models go. */
  may: (model: string, operation: 'read' | 'write' | 'create') => Promise<boolean>
  /** The company that is written for. */
  company: () => Promise<Company>
  /** Master data that every document asks for again: found once, and anew after half a minute. A fault is not kept. */
  keep: <T>(what: string, find: () => Promise<T>) => Promise<T>
}

export interface Company {
  id: number
  name: string
  currency: string
}

interface Session {
  protocol: 'json2' | 'jsonrpc'
  version: number
  uid: number | null
  fields: Map<string, Promise<ReadonlySet<string>>>
  rights: Map<string, Promise<boolean>>
  company: Map<'company', Promise<Company>>
  kept: Map<string, { until_ms: number; found: Promise<unknown> }>
}

/** Taxes, warehouses and products change by hand, and rarely: half a minute of an older one does no harm. */
const KEEP_MS = 30_000

/** What was found out about a server lives as long as the connection's port, and is found out again after a fault of its key. */
const sessions = new WeakMap<object, Promise<Session>>()

const open = { additionalProperties: true } as const
const readVersionPage = checker(
  Type.Object({ version_info: Type.Array(Type.Unknown(), { minItems: 1 }) }, open),
  'vendor_response_invalid',
)
const readVersionCall = checker(
  Type.Object(
    { result: Type.Object({ server_version_info: Type.Array(Type.Unknown(), { minItems: 1 }) }, open) },
    open,
  ),
  'vendor_response_invalid',
)
const readLogin = checker(
  Type.Object({ result: Type.Union([Type.Integer({ minimum: 1 }), Type.Literal(false), Type.Null()]) }, open),
  'vendor_response_invalid',
)
const readFields = checker(Type.Record(Type.String(), Type.Unknown()), 'vendor_response_invalid')

/** Writes with taxes, journals and stock can take long; the job that waits for them ends at 60 s. */
const TELL_TIMEOUT_MS = 50_000

export async function openOdoo(port: Port<OdooSettings>): Promise<Odoo> {
  const kept = sessions.get(port)
  const pending = kept ?? startSession(port)
  if (kept === undefined) sessions.set(port, pending)
  const session = await pending.catch((thrown: unknown) => {
    sessions.delete(port)
    throw asHubError(thrown)
  })
  return bind(port, session)
}

function bind(port: Port<OdooSettings>, session: Session): Odoo {
  const call = async (model: string, method: string, args: CallArgs, repeat: 'safe' | 'once'): Promise<unknown> => {
    try {
      return await send(port, session, { model: modelName(model, session.version), method, ...args, repeat })
    } catch (thrown) {
      const fault = asHubError(thrown)
      if (fault.code === 'vendor_auth') sessions.delete(port)
      throw fault
    }
  }
  const odoo: Odoo = {
    settings: port.settings,
    version: session.version,
    protocol: session.protocol,
    uid: session.uid,
    ask: (model, method, args) => call(model, method, args, 'safe'),
    tell: (model, method, args) => call(model, method, args, 'once'),
    names: async (model, fields) => {
      const present = await once(session.fields, model, async () => {
        const answer = await odoo.ask(model, 'fields_get', { args: { attributes: ['type'] } })
        return new Set(Object.keys(readFields(answer)))
      })
      return resolveFields(model, fields, present)
    },
    may: (model, operation) =>
      once(session.rights, `${model} ${operation}`, async () => {
        const { method, ...call } = rightsCall(session.version, operation)
        return (await odoo.ask(model, method, call)) === true
      }),
    company: () => once(session.company, 'company', () => findCompany(odoo)),
    keep: async <T>(what: string, find: () => Promise<T>) => {
      const known = session.kept.get(what)
      if (known !== undefined && known.until_ms > performance.now()) return (await known.found) as T
      const found = find()
      session.kept.set(what, { until_ms: performance.now() + KEEP_MS, found })
      return await found.catch((thrown: unknown) => {
        session.kept.delete(what)
        throw asHubError(thrown)
      })
    },
  }
  return odoo
}

const readUser = checker(Type.Object({ uid: Type.Integer() }, open), 'vendor_response_invalid')
const readUsers = checker(
  Type.Array(Type.Object({ company_id: Pair }, open), { minItems: 1 }),
  'vendor_response_invalid',
)
const readCompanies = checker(
  Type.Array(Type.Object({ id: Type.Integer(), name: Type.String(), currency_id: Pair }, open)),
  'vendor_response_invalid',
)

async function findCompany(odoo: Odoo): Promise<Company> {
  const id = odoo.settings.company_id ?? (await ownCompany(odoo))
  const fields = ['name', 'currency_id']
  const [company] = readCompanies(await odoo.ask('res.company', 'read', { ids: [id], args: { fields } }))
  if (company === undefined) throw new HubError('config_invalid', `company ${id} is not there or not to be seen`)
  return { id: company.id, name: company.name, currency: company.currency_id[1] }
}

async function ownCompany(odoo: Odoo): Promise<number> {
  const { uid } = await whoAmI(odoo)
  const [user] = readUsers(await odoo.ask('res.users', 'read', { ids: [uid], args: { fields: ['company_id'] } }))
  return user?.company_id[0] ?? 0
}

/** The user that the key belongs to. */
export async function whoAmI(odoo: Odoo): Promise<{ uid: number }> {
  // Before 19 the answer holds no uid; the login has told it then.
  const context = await odoo.ask('res.users', 'context_get', {})
  return readUser({ uid: odoo.uid, ...(context as object) })
}

async function once<T>(kept: Map<string, Promise<T>>, key: string, find: () => Promise<T>): Promise<T> {
  const known = kept.get(key)
  if (known !== undefined) return await known
  const finding = find()
  kept.set(key, finding)
  return await finding.catch((thrown: unknown) => {
    kept.delete(key)
    throw asHubError(thrown)
  })
}

// ── which server this is ──────────────────────────────────────────────────────────────────────────────────────────────────

async function startSession(port: Port<OdooSettings>): Promise<Session> {
  const { protocol: wanted = 'auto' } = port.settings
  const version = await findVersion(port)
  const protocol = wanted === 'auto' ? (version >= JSON2_SINCE ? 'json2' : 'jsonrpc') : wanted
  if (protocol === 'json2' && version < JSON2_SINCE)
    throw new HubError('config_invalid', `Odoo ${version} does not speak JSON-2`, { hint: 'set protocol to auto' })
  const uid = protocol === 'jsonrpc' ? await logIn(port) : null
  return { protocol, version, uid, fields: new Map(), rights: new Map(), company: new Map(), kept: new Map() }
}

/** 19 and later say it on a page of their own; older servers have no such page and say it over JSON-RPC. */
async function findVersion(port: Port<OdooSettings>): Promise<number> {
  try {
    const answer = await port.http.request({
      operation: 'version',
      method: 'GET',
      path: '/web/version',
      repeat: 'safe',
    })
    return major(readVersionPage(answer.body).version_info[0])
  } catch (thrown) {
    const { next } = asHubError(thrown)
    const code = asHubError(thrown).code
    if (next !== 'park' && code !== 'vendor_response_invalid' && code !== 'vendor_auth') throw thrown
  }
  const answer = await jsonRpc(port, {
    operation: 'version',
    service: 'common',
    method: 'version',
    args: [],
    repeat: 'safe',
  })
  return major(readVersionCall(answer).result.server_version_info[0])
}

/** Odoo Online says `saas~18`. */
function major(word: unknown): number {
  const digits = /\d+/.exec(String(word))?.[0]
  if (digits === undefined) throw new HubError('vendor_response_invalid', 'the server names no version')
  return Number(digits)
}

async function logIn(port: Port<OdooSettings>): Promise<number> {
  const { database, login, api_key } = port.settings
  if (login === undefined)
    throw new HubError('config_invalid', 'JSON-RPC needs the login of the user that the key belongs to')
  const answer = await jsonRpc(port, {
    operation: 'authenticate',
    service: 'common',
    method: 'authenticate',
    args: [database, login, api_key, {}],
    repeat: 'safe',
  })
  const { result } = readLogin(answer)
  if (typeof result !== 'number') throw new HubError('vendor_auth', 'login and key are not accepted')
  return result
}

// ── the two protocols ─────────────────────────────────────────────────────────────────────────────────────────────────────

interface ModelCall extends CallArgs {
  model: string
  method: string
  repeat: 'safe' | 'once'
}

/** English, so that answers can be told apart; UTC, because `load` reads times in the time zone of the user. */
function contextOf({ company_id }: OdooSettings, context: CallArgs['context']): Record<string, unknown> {
  return {
    lang: 'en_US',
    tz: 'UTC',
    ...(company_id === undefined ? {} : { allowed_company_ids: [company_id] }),
    ...context,
  }
}

async function send(port: Port<OdooSettings>, session: Session, call: ModelCall): Promise<unknown> {
  const context = contextOf(port.settings, call.context)
  const operation = `${call.model}.${call.method}`
  const { ids, args = {} } = call
  if (session.protocol === 'json2') {
    const answer = await port.http.request({
      operation,
      method: 'POST',
      path: `/json/2/${call.model}/${call.method}`,
      json: { ...(ids === undefined ? {} : { ids }), ...args, context },
      repeat: call.repeat,
      ...(call.repeat === 'once' ? { timeout_ms: TELL_TIMEOUT_MS } : {}),
    })
    return answer.body
  }
  const { database, api_key } = port.settings
  // `create` looks at its first argument itself and knows it by its place only.
  const { vals_list, ...named } = args as Record<string, unknown>
  const placed = [...(ids === undefined ? [] : [ids]), ...(vals_list === undefined ? [] : [vals_list])]
  const answer = await jsonRpc(port, {
    operation,
    service: 'object',
    method: 'execute_kw',
    args: [database, session.uid, api_key, call.model, call.method, placed, { ...named, context }],
    repeat: call.repeat,
  })
  return (answer as { result?: unknown }).result ?? null
}

const readEnvelope = checker(Type.Object({ jsonrpc: Type.Literal('2.0') }, open), 'vendor_response_invalid')

async function jsonRpc(
  port: Port<OdooSettings>,
  call: { operation: string; service: string; method: string; args: unknown[]; repeat: 'safe' | 'once' },
): Promise<unknown> {
  const { operation, service, method, args, repeat } = call
  const answer = await port.http.request({
    operation,
    method: 'POST',
    path: '/jsonrpc',
    json: { jsonrpc: '2.0', method: 'call', id: 1, params: { service, method, args } },
    repeat,
    ...(repeat === 'once' ? { timeout_ms: TELL_TIMEOUT_MS } : {}),
  })
  return readEnvelope(answer.body)
}
