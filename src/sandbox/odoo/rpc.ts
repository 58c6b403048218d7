import type { VendorAnswer, VendorRequest } from '../vendorServer.ts'
import {
  accessError,
  bodyOf,
  isOdooFault,
  notFound,
  unauthorized,
  unprocessable,
  valueError,
  type OdooFault,
} from './faults.ts'
import { SHARED_METHODS } from './methods.ts'
import type { Models } from './model.ts'
import { openEnv, type Env } from './orm.ts'
import type { Store } from './store.ts'
import { isRecord, wordOf, type Value, type Values } from './values.ts'

/** Both protocols over one table of models: JSON-2, and as much of JSON-RPC as a client of older servers needs. */

export interface RpcOptions {
  models: Models
  store: Store
  now: () => Date
  api_key: string
  database: string
  login: string
  uid: number
}

const VERSION_INFO = [19, 0, 0, 'final', 0, ''] as const
const json = (status: number, body: unknown): VendorAnswer => ({ status, body: JSON.stringify(body) })

export function answerRpc(options: RpcOptions, { method, path, headers, body }: VendorRequest): VendorAnswer {
  if (path === '/web/version') return json(200, { version_info: VERSION_INFO, version: '19.0' })
  const [, model, name] = /^\/json\/2\/([^/]+)\/([^/]+)$/.exec(path) ?? []
  if (method !== 'POST') return json(405, bodyOf(notFound('Method Not Allowed')))
  if (model !== undefined && name !== undefined) return json2(options, { model, name }, headers['authorization'], body)
  return path === '/jsonrpc' ? jsonRpc(options, body) : json(404, bodyOf(notFound('Not Found')))
}

function json2(
  options: RpcOptions,
  called: { model: string; name: string },
  authorization: unknown,
  body: string,
): VendorAnswer {
  try {
    // The scheme's name may be written in any way.
    if (String(authorization).replace(/^bearer /i, '') !== options.api_key) throw unauthorized('Invalid apikey')
    const sent = parse(body)
    if (!isRecord(sent)) throw unprocessable('the body must be a JSON object')
    const { ids, context, ...args } = sent
    return json(200, call(options, { ...called, ids, context, args }))
  } catch (thrown) {
    if (!isOdooFault(thrown)) throw thrown
    return json(thrown.status, bodyOf(thrown))
  }
}

function parse(body: string): unknown {
  try {
    return body === '' ? {} : (JSON.parse(body) as unknown)
  } catch {
    throw unprocessable('could not parse the body as json')
  }
}

interface Call {
  model: string
  name: string
  ids: Value | undefined
  context: Value | undefined
  args: Values
}

/** One call, one transaction. */
function call(options: RpcOptions, { model, name, ids, context, args }: Call): Value {
  const { models, store, now } = options
  const found = models[model]
  if (found === undefined) throw notFound(`the model '${model}' does not exist`)
  if (name.startsWith('_')) throw accessError(`Private methods (such as '${model}.${name}') cannot be called remotely.`)
  const env = openEnv({ models, store, now, context: isRecord(context) ? context : {} })
  const method = bound(env, model, name)
  const numbers = Array.isArray(ids) ? (ids as Value[]).map(Number) : typeof ids === 'number' ? [ids] : []
  if (ids !== undefined && method.on === 'model') throw unprocessable(`cannot call ${model}.${name} with ids`)
  checkArguments(method.args, args)
  if (ids !== undefined && !Array.isArray(ids) && typeof ids !== 'number')
    throw valueError('invalid input syntax for type integer')
  return store.transaction(`${model}.${name}`, now(), () => method.run(numbers, args))
}

function bound(env: Env, model: string, name: string) {
  const own = env.models[model]?.methods?.[name]
  if (own !== undefined) return { ...own, run: (ids: readonly number[], args: Values) => own.run(env, ids, args) }
  const shared = Object.hasOwn(SHARED_METHODS, name) ? SHARED_METHODS[name] : undefined
  if (shared === undefined) throw notFound(`The method '${model}.${name}' does not exist`)
  return { ...shared, run: (ids: readonly number[], args: Values) => shared.run(env, model, ids, args) }
}

function checkArguments(known: Readonly<Record<string, 'required' | 'optional'>>, args: Values): void {
  const strange = Object.keys(args).find((name) => !Object.hasOwn(known, name))
  if (strange !== undefined) throw unprocessable(`got an unexpected keyword argument '${strange}'`)
  const missing = Object.entries(known).find(([name, need]) => need === 'required' && !(name in args))
  if (missing !== undefined) throw unprocessable(`missing a required argument: '${missing[0]}'`)
}

// ── JSON-RPC ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Service = (options: RpcOptions, args: readonly Value[]) => Value

const SERVICES: Readonly<Record<string, Service>> = {
  'common version': () => ({
    server_version: '19.0',
    server_version_info: [...VERSION_INFO],
    server_serie: '19.0',
    protocol_version: 1,
  }),
  'common authenticate': ({ database, login, api_key, uid }, [db, user, key]) =>
    db === database && user === login && key === api_key ? uid : false,
  'object execute_kw': (options, [db, uid, key, model, name, placed, named]) => {
    if (db !== options.database || uid !== options.uid || key !== options.api_key) throw accessError('Access Denied')
    return call(options, {
      model: wordOf(model),
      name: wordOf(name),
      ...byPlace(options, wordOf(model), wordOf(name), { placed, named }),
    })
  },
}

/** Arguments by their places become arguments by name: ids first, where the method is one of records. */
function byPlace(
  options: RpcOptions,
  model: string,
  name: string,
  given: { placed: Value | undefined; named: Value | undefined },
) {
  const placed = Array.isArray(given.placed) ? [...(given.placed as Value[])] : []
  const { context, ...args } = isRecord(given.named) ? given.named : {}
  const known =
    options.models[model]?.methods?.[name] ?? (Object.hasOwn(SHARED_METHODS, name) ? SHARED_METHODS[name] : undefined)
  const ids = known?.on === 'records' ? placed.shift() : undefined
  const names = Object.keys(known?.args ?? {})
  const rest = Object.fromEntries(
    placed.map((value, index): [string, Value] => [names[index] ?? `argument ${index}`, value]),
  )
  return { ids, context, args: { ...rest, ...args } }
}

function jsonRpc(options: RpcOptions, body: string): VendorAnswer {
  const sent = isRecord(parse(body)) ? (parse(body) as Record<string, Value>) : {}
  const id = sent['id'] ?? null
  const params = isRecord(sent['params']) ? sent['params'] : {}
  try {
    const service = SERVICES[`${wordOf(params['service'])} ${wordOf(params['method'])}`]
    if (service === undefined) throw accessError('there is no such service')
    const args = Array.isArray(params['args']) ? (params['args'] as Value[]) : []
    return json(200, { jsonrpc: '2.0', id, result: service(options, args) })
  } catch (thrown) {
    if (!isOdooFault(thrown)) throw thrown
    return json(200, { jsonrpc: '2.0', id, error: rpcError(thrown) })
  }
}

/** Always with HTTP 200: the error is inside. */
const rpcError = (fault: OdooFault) => ({ code: 0, message: 'Odoo Server Error', data: bodyOf(fault) })
