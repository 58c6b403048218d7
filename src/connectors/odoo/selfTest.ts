import Type from 'typebox'
import { asHubError } from '../../core/errors.ts'
import type { Port, SelfCheck } from '../_kit/define.ts'
import { accountIds, bankJournalId, journalId, SETTLEMENT_JOURNAL } from './books.ts'
import { openOdoo, whoAmI, type Odoo } from './client.ts'
import { locationOf, warehouses } from './transfers.ts'
import { rows, search } from './records.ts'
import { FIELDS_USED, MODULES, RIGHTS } from './rights.ts'
import type { OdooSettings } from './settings.ts'
import { saleTaxes } from './taxes.ts'
import { Text, textOf } from './values.ts'

const PRODUCT = rows('product.product', { default_code: Text })
const ORDER = rows('sale.order', { name: Type.String() })
const KEY = rows('res.users.apikeys', { name: Text, expiration_date: Text })

/** A cheap call as proof of life: one line with a real record in it. */
export async function showProduct(port: Port<OdooSettings>): Promise<string> {
  const odoo = await openOdoo(port)
  const company = await odoo.company()
  const [newest] = await search(odoo, PRODUCT, [['default_code', '!=', false]], {
    limit: 1,
    order: 'write_date desc, id desc',
  })
  const product =
    newest === undefined ? 'no product with a SKU yet' : `newest product ${textOf(newest.default_code) ?? ''}`
  return `Odoo ${odoo.version} by ${odoo.protocol}, ${company.name} in ${company.currency}, ${product}`
}

type Check = (odoo: Odoo, now: Date) => Promise<Omit<SelfCheck, 'name'>>

/**
 * What one call cannot show. A user with too few rights is not refused by Odoo but shown less: without "all documents" a search finds
 * no orders of others, which looks like a company without orders.
 */
const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ['apps', checkModules],
  ['fields', checkFields],
  ['rights', checkRights],
  ['orders are seen', checkSight],
  ['company', checkCompany],
  ['taxes', checkTaxes],
  ['accounts', checkAccounts],
  ['journals', checkJournals],
  ['warehouses', checkWarehouses],
  ['returned goods', checkReturns],
  ['key', checkKey],
]

export async function selfTest(port: Port<OdooSettings>, now: Date): Promise<SelfCheck[]> {
  let odoo: Odoo
  try {
    odoo = await openOdoo(port)
  } catch (thrown) {
    const fault = asHubError(thrown)
    if (fault.next === 'retry') throw thrown
    return [{ name: 'server', ok: false, detail: fault.message }]
  }
  const checks: SelfCheck[] = [
    {
      name: 'server',
      ok: true,
      detail: `Odoo ${odoo.version} by ${odoo.protocol === 'json2' ? 'JSON-2' : 'JSON-RPC'}`,
    },
  ]
  for (const [name, check] of CHECKS) checks.push({ name, ...(await check(odoo, now).catch(failed)) })
  return checks
}

/** A check that could not be made is a check that failed; only a server that is gone ends the test. */
function failed(thrown: unknown): Omit<SelfCheck, 'name'> {
  const fault = asHubError(thrown)
  if (fault.next === 'retry') throw fault
  return { ok: false, detail: fault.hint === undefined ? fault.message : `${fault.message} (${fault.hint})` }
}

const verdict = (faults: readonly string[], fine: string): Omit<SelfCheck, 'name'> =>
  faults.length === 0 ? { ok: true, detail: fine } : { ok: false, detail: faults.join('; ') }

/** By what the app brings: the list of apps itself is for administrators only. */
async function checkModules(odoo: Odoo): ReturnType<Check> {
  const faults: string[] = []
  const absent: string[] = []
  for (const { name, model, needed, why } of MODULES) {
    const fields = name === 'sale_stock' ? ['sale_id'] : ['id']
    const there = await odoo
      .names(model, fields)
      .then((names) => Object.values(names).every((field) => field !== null), notThere)
    if (!there) (needed ? faults : absent).push(`${name} is not installed (${why})`)
  }
  return verdict(faults, absent.length === 0 ? 'sale, stock, account and mrp are there' : absent.join('; '))
}

/** A model that is hidden from the user is told by the check of rights. */
function notThere(thrown: unknown): boolean {
  const { code } = asHubError(thrown)
  if (code === 'vendor_rejected' || code === 'vendor_not_found') return false
  if (code === 'forbidden') return true
  throw thrown
}

async function checkFields(odoo: Odoo): ReturnType<Check> {
  const faults: string[] = []
  for (const [model, fields] of Object.entries(FIELDS_USED)) {
    const names = await odoo.names(model, fields).catch(() => undefined)
    if (names === undefined) continue
    faults.push(...fields.filter((field) => names[field] === null).map((field) => `${model} has no ${field}`))
  }
  return verdict(faults, `every field that is used is there under a name that is known`)
}

async function checkRights(odoo: Odoo): ReturnType<Check> {
  const faults: string[] = []
  for (const { what, model, operations } of RIGHTS) {
    for (const operation of operations) {
      const may = await odoo.may(model, operation).catch(() => false)
      if (!may) faults.push(`may not ${operation} ${what} (${model})`)
    }
  }
  return verdict(faults, 'the user may read and write what is needed')
}

const ALL_DOCUMENTS = 'sales_team.group_sale_salesman_all_leads'

/** Counts are shown because a person knows whether they can be true. */
async function checkSight(odoo: Odoo): ReturnType<Check> {
  const { uid } = await whoAmI(odoo)
  const all = await odoo.ask('sale.order', 'search_count', { args: { domain: [] } })
  const others = await odoo.ask('sale.order', 'search_count', { args: { domain: [['user_id', '!=', uid]] } })
  const [newest] = await search(odoo, ORDER, [], { limit: 1, order: 'id desc' })
  const seen = `sees ${String(all)} orders, ${String(others)} of them not its own${newest === undefined ? '' : `; newest ${newest.name}`}`
  const sees = await hasGroup(odoo, uid, ALL_DOCUMENTS)
  return sees === false
    ? { ok: false, detail: `the user ${seen}, because it may see own documents only: give it "Sales: all documents"` }
    : { ok: true, detail: `the user ${seen}` }
}

/** Null: this server does not say. */
async function hasGroup(odoo: Odoo, uid: number, group_ext_id: string): Promise<boolean | null> {
  const ids = odoo.version >= 18 ? { ids: [uid] } : {}
  const answer = await odoo.ask('res.users', 'has_group', { ...ids, args: { group_ext_id } }).catch(() => null)
  return typeof answer === 'boolean' ? answer : null
}

async function checkCompany(odoo: Odoo): ReturnType<Check> {
  const { name, currency, id } = await odoo.company()
  return { ok: true, detail: `${name} (${id}), books in ${currency}` }
}

async function checkTaxes(odoo: Odoo): ReturnType<Check> {
  const taxes = await saleTaxes(odoo)
  const twice = taxes.filter(
    (tax, at) => taxes.findIndex((other) => other.rate_e4 === tax.rate_e4 && other.included === tax.included) !== at,
  )
  const table = odoo.settings.taxes
  if (table !== undefined)
    return {
      ok: true,
      detail: `${table.length} rates of the settings are there: ${table.map(({ rate }) => `${rate} %`).join(', ')}`,
    }
  const shown = taxes.map(
    ({ name, rate_e4, included }) => `${name} (${rate_e4 / 10_000} %${included ? ', in prices' : ''})`,
  )
  const doubt = twice.length === 0 ? '' : `; several of one rate, the first is taken: name them in the settings`
  return { ok: true, detail: shown.length === 0 ? 'no sale taxes in percent' : `${shown.join(', ')}${doubt}` }
}

async function checkAccounts(odoo: Odoo): ReturnType<Check> {
  const table = odoo.settings.accounts ?? {}
  const codes = [...new Set(Object.values(table))]
  if (codes.length === 0) return { ok: true, detail: 'no accounts are named, so no journals can be told' }
  const found = await accountIds(odoo, codes)
  const missing = codes.filter((code) => !found.has(code))
  return verdict(missing.map((code) => `Odoo has no account ${code}`), `${codes.length} accounts are there`) // prettier-ignore
}

async function checkJournals(odoo: Odoo): ReturnType<Check> {
  const code = odoo.settings.settlement_journal ?? SETTLEMENT_JOURNAL
  await journalId(odoo, code)
  const currencies = new Set([...Object.keys(odoo.settings.bank_journals ?? {}), (await odoo.company()).currency])
  for (const currency of currencies) await bankJournalId(odoo, currency)
  return { ok: true, detail: `payouts in ${code}, bank journals for ${[...currencies].join(', ')}` }
}

async function checkWarehouses(odoo: Odoo): ReturnType<Check> {
  const all = await warehouses(odoo)
  const stepped = all.filter(({ steps }) => steps !== 'ship_only').map(({ code }) => code)
  const codes = all.map(({ code }) => code).join(', ')
  return stepped.length === 0
    ? { ok: all.length > 0, detail: all.length > 0 ? codes : 'there is no warehouse' }
    : { ok: true, detail: `${codes}; the hub cannot deliver from ${stepped.join(', ')}, which ship in several steps` }
}

async function checkReturns(odoo: Odoo): ReturnType<Check> {
  const table = odoo.settings.return_locations ?? {}
  for (const name of Object.values(table)) await locationOf(odoo, name)
  const named = Object.keys(table)
  return {
    ok: true,
    detail: `restock goes to stock${named.length === 0 ? '; others need return_locations' : `; ${named.join(', ')} to places of their own`}`,
  }
}

/** Keys end after 90 days at most for most users. Which of several keys is ours nobody can say: the one that ends first counts. */
async function checkKey(odoo: Odoo, now: Date): ReturnType<Check> {
  const ends = odoo.settings.key_expires_on ?? (await keyEnd(odoo))
  if (ends === null)
    return { ok: true, detail: 'when the key ends cannot be read: name the day in the settings as key_expires_on' }
  const expires_at = new Date(ends.length === 10 ? `${ends}T00:00:00Z` : `${ends.replace(' ', 'T')}Z`).toISOString()
  return { ok: Date.parse(expires_at) > now.getTime(), detail: `ends on ${expires_at.slice(0, 10)}`, expires_at }
}

async function keyEnd(odoo: Odoo): Promise<string | null> {
  try {
    const { uid } = await whoAmI(odoo)
    const keys = await search(odoo, KEY, [['user_id', '=', uid]])
    const ends = keys.flatMap(({ expiration_date }) => textOf(expiration_date) ?? [])
    return ends.toSorted()[0] ?? null
  } catch (thrown) {
    // Servers before 18 have keys without an end; some users may not read their own.
    const fault = asHubError(thrown)
    if (fault.next === 'retry' || fault.next === 'pause') throw thrown
    return null
  }
}
