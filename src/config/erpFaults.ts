import { fault, type ConfigFault, type Path } from './faults.ts'
import type { Source } from './source.ts'

/** An entry of one of the file's lists, as found: its schema may have found faults of its own. */
interface Entry {
  path: Path
  value: Readonly<Record<string, unknown>>
}

interface Said {
  path: Path
  message: string
  allowed?: Iterable<string>
}

/** Faults of the companies' ERPs and of the places they know that a schema cannot see. */
export function erpFaults(document: unknown, { source }: { source: Source }): ConfigFault[] {
  const companies = entriesOf(document, 'companies')
  const said = [
    ...companies.flatMap((company, index) => companyFaults(document, company, companies.slice(0, index))),
    ...entriesOf(document, 'locations').flatMap((place, index, all) =>
      placeFaults(place, all.slice(0, index), companies),
    ),
  ]
  return said.map(({ path, message, allowed }) => fault(path, source.lineOf(path), message, allowed))
}

const erpOf = ({ value }: Entry): Readonly<Record<string, unknown>> | undefined => recordOf(value['erp'])

function companyFaults(document: unknown, company: Entry, before: readonly Entry[]): Said[] {
  const erp = erpOf(company)
  if (erp === undefined) return []
  const at: Path = [...company.path, 'erp']
  const { connection } = erp
  const own = entriesOf(document, 'connections').filter(({ value }) => value['company'] === company.value['id'])
  const names = own.map(({ value }) => String(value['id']))
  const says: Said[] = []
  if (typeof connection === 'string' && !names.includes(connection))
    says.push({ path: [...at, 'connection'], message: `the company has no connection "${connection}"`, allowed: names })
  if (typeof connection === 'string' && before.some((other) => erpOf(other)?.['connection'] === connection))
    says.push({ path: [...at, 'connection'], message: `"${connection}" is the ERP of another company already` })
  const hangs = (field: string, on: string, isThere: boolean): void => {
    if (!isThere) says.push({ path: [...at, field], message: `needs ${on}: it hangs on it` })
  }
  const tellsOrders = erp['orders'] !== 'none'
  if (erp['invoices'] !== undefined && erp['invoices'] !== 'none') hangs('invoices', 'orders', tellsOrders)
  if (erp['credits'] === true) hangs('credits', 'invoices', erp['invoices'] !== undefined && erp['invoices'] !== 'none')
  return says
}

function placeFaults(place: Entry, before: readonly Entry[], companies: readonly Entry[]): Said[] {
  const { company, stock_authority, erp_code } = place.value
  const hasErp = companies.some((entry) => entry.value['id'] === company && erpOf(entry) !== undefined)
  const field = stock_authority === undefined ? 'erp_code' : 'stock_authority'
  if (stock_authority === undefined && erp_code === undefined) return []
  if (!hasErp) return [{ path: [...place.path, field], message: `the company "${String(company)}" has no erp` }]
  if (stock_authority === 'erp' && erp_code === undefined)
    return [
      {
        path: [...place.path, 'stock_authority'],
        message: 'needs erp_code: the name under which the ERP counts the place',
      },
    ]
  const isTaken = before.some(({ value }) => value['company'] === company && value['erp_code'] === erp_code)
  return erp_code !== undefined && isTaken
    ? [
        {
          path: [...place.path, 'erp_code'],
          message: `${JSON.stringify(erp_code)} is the code of another place already`,
        },
      ]
    : []
}

function entriesOf(document: unknown, list: string): Entry[] {
  const found = recordOf(document)?.[list]
  if (!Array.isArray(found)) return []
  return found.flatMap((value: unknown, index) => {
    const record = recordOf(value)
    return record === undefined ? [] : [{ path: [list, index], value: record }]
  })
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
