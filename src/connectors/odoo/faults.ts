import type { ErrorCode } from '../../core/errors.ts'
import type { HttpAnswer } from '../_kit/define.ts'

/**
 * What Odoo's exceptions mean. An exception rolls the whole call back, so unlike a cut connection it proves that nothing was done; this
 * is why a 500 with an exception in it is not in doubt.
 */
const EXCEPTIONS: Readonly<Record<string, ErrorCode>> = {
  'odoo.exceptions.AccessDenied': 'vendor_auth',
  'odoo.http.SessionExpiredException': 'vendor_auth',
  'werkzeug.exceptions.Unauthorized': 'vendor_auth',
  'odoo.exceptions.AccessError': 'forbidden',
  'werkzeug.exceptions.Forbidden': 'forbidden',
  'odoo.exceptions.UserError': 'vendor_rejected',
  'odoo.exceptions.ValidationError': 'vendor_rejected',
  'odoo.exceptions.RedirectWarning': 'vendor_rejected',
  'odoo.exceptions.MissingError': 'vendor_not_found',
  'werkzeug.exceptions.NotFound': 'vendor_rejected',
  'werkzeug.exceptions.UnprocessableEntity': 'vendor_rejected',
  'werkzeug.exceptions.BadRequest': 'vendor_rejected',
  'psycopg2.errors.UniqueViolation': 'vendor_conflict',
  'psycopg2.errors.InvalidTextRepresentation': 'vendor_rejected',
  'psycopg2.errors.NotNullViolation': 'vendor_rejected',
  'psycopg2.errors.ForeignKeyViolation': 'vendor_rejected',
  'psycopg2.errors.CheckViolation': 'vendor_rejected',
}
/** A fault of the program, there or here: the same call would meet it again. */
const PROGRAM = 'builtins.'
/** Too many at once, deadlocks, a database that restarts: all of them pass. */
const PASSING: ErrorCode = 'vendor_unavailable'

/**
 * Odoo says what is wrong in sentences that name people and products, so only what is known to be harmless is passed on: the rule that
 * was broken, in our words. Asked for in English by the context of every call.
 */
const CAUSES: readonly (readonly [pattern: RegExp, cause: (match: RegExpExecArray) => string])[] = [
  [/^External ID not found/, () => 'no such external id'],
  [/not allowed to (\w+) .*\(([a-z_.]+)\) records/s, ([, what, model]) => `the user may not ${what} ${model}`],
  [/[Pp]rivate method/, () => 'the method is private'],
  [/[Ii]nvalid apikey|Access Denied/, () => 'the key is not accepted'],
  [/not in a state requiring confirmation/, () => 'the order is not waiting to be confirmed'],
  [/must be in draft|already posted/, () => 'the entry is posted already'],
  [/not balanced|unbalanced/i, () => 'the entry does not balance'],
  [/lock date|locked|fiscal year/i, () => 'the period or the record is locked'],
  [/lot\/serial|serial number/i, () => 'a lot or serial number is needed'],
  [/currency/i, () => 'it has to do with a currency'],
  [/no accounting journal|journal/i, () => 'it has to do with a journal'],
  [/account/i, () => 'it has to do with an account'],
  [/unexpected keyword argument '(\w+)'/, ([, name]) => `it does not know the argument ${name}`],
  [/Invalid field '?([\w.]+)'?/, ([, name]) => `it does not know the field ${name}`],
  [
    /[Uu]nknown (?:model|field)|method '([\w.]+)' does not exist/,
    ([, name]) => `it does not know ${name ?? 'that'}: is the app installed?`,
  ],
  [/unique|already exists|duplicate/i, () => 'it exists already'],
  [
    /cannot? (?:delete|remove|decrease|reduce)|already (?:delivered|shipped|invoiced)/i,
    () => 'what is done cannot be taken back',
  ],
]

export interface OdooFault {
  code: ErrorCode
  detail: string
}

/** Pure: what an exception means, without a word that could be personal. */
function faultOf(exception: string, message: string): OdooFault {
  const missing = exception === 'builtins.ValueError' && message.startsWith('External ID not found')
  const known = Object.hasOwn(EXCEPTIONS, exception) ? EXCEPTIONS[exception] : undefined
  const code = missing ? 'vendor_not_found' : (known ?? (exception.startsWith(PROGRAM) ? 'vendor_rejected' : PASSING))
  const name = /^[\w.]{1,80}$/.test(exception) ? (exception.split('.').at(-1) ?? exception) : 'an error'
  const cause = causeOf(message)
  return { code, detail: cause === undefined ? `${name} (Odoo's log says why)` : `${name}: ${cause}` }
}

export function causeOf(message: string): string | undefined {
  for (const [pattern, cause] of CAUSES) {
    const match = pattern.exec(message)
    if (match !== null) return cause(match)
  }
  return undefined
}

/**
 * Errors come with a status from JSON-2 and inside a 200 from JSON-RPC; either way they name the exception. Anything else (a page of a
 * proxy, a maintenance page) is left to the usual reading of statuses.
 */
export function classify({ status, body }: HttpAnswer): OdooFault | undefined {
  const error = textsOf(status >= 400 ? body : at(at(body, 'error'), 'data'))
  if (error !== undefined) return faultOf(error.name, error.message)
  if (status >= 400 || at(body, 'error') === undefined || at(body, 'jsonrpc') === undefined) return undefined
  return { code: 'vendor_rejected', detail: 'the request was not understood' }
}

function textsOf(value: unknown): { name: string; message: string } | undefined {
  const name = at(value, 'name')
  const message = at(value, 'message')
  if (typeof name !== 'string' || !/^[\w]+(\.[\w]+)+$/.test(name)) return undefined
  return { name, message: typeof message === 'string' ? message : '' }
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
}
