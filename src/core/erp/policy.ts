import type { CoreContext } from '../context.ts'

export const ERP_ORDERS = ['none', 'all', 'authorized', 'paid'] as const
export const ERP_INVOICES = ['none', 'per_delivery', 'when_shipped'] as const

/** Which of a company's documents its ERP is told, and which it tells us. */
export interface ErpPolicy {
  connection_id: string
  company_id: string
  /** From which state of payment an order is told. */
  orders: (typeof ERP_ORDERS)[number]
  /** Orders placed before this day stay where they were; null: all. */
  since: string | null
  deliveries: boolean
  returns: boolean
  invoices: (typeof ERP_INVOICES)[number]
  credits: boolean
  journals: boolean
  /** Money that arrived goes as lines of a bank statement, not as journals of our own. */
  bank_statements: boolean
  products_in: boolean
  stock_every_seconds: number
  /** By location: who knows its stock, and what the ERP calls the place. */
  places: ReadonlyMap<string, ErpPlace>
}

export interface ErpPlace {
  authority: 'hub' | 'erp'
  /** Whether the configuration says so, or nobody has thought of it. */
  is_stated: boolean
  code: string | null
}

export type ErpPolicies = ReadonlyMap<string, ErpPolicy>

/** The ERP of a connection's company; undefined in most houses, which must cost nothing there. */
export function erpOfConnection(
  { erps, policies }: Pick<CoreContext, 'erps' | 'policies'>,
  connection_id: string,
): ErpPolicy | undefined {
  if (erps === undefined || erps.size === 0) return undefined
  const company = policies.get(connection_id)?.company_id
  return company === undefined ? undefined : erps.get(company)
}

/** The ERP that this connection is; undefined for any other connection. */
export function erpThatIs({ erps }: Pick<CoreContext, 'erps'>, connection_id: string): ErpPolicy | undefined {
  if (erps === undefined) return undefined
  return [...erps.values()].find((erp) => erp.connection_id === connection_id)
}

/** A company's choices and places as the configuration states them. */
interface Stated {
  companies: readonly {
    id: string
    erp?: Omit<ErpPolicy, 'connection_id' | 'company_id' | 'since' | 'places'> & { connection: string; since?: string }
  }[]
  locations: readonly { id: string; company: string; stock_authority?: ErpPlace['authority']; erp_code?: string }[]
}

/** The policies of every company that has an ERP, by company. */
export function erpPolicies({ companies, locations }: Stated): ErpPolicies {
  return new Map(
    companies.flatMap(({ id, erp }): [string, ErpPolicy][] => {
      if (erp === undefined) return []
      const { connection, since, ...choices } = erp
      const own = locations.filter(({ company }) => company === id)
      const places = own.map(({ id: place, stock_authority, erp_code }): [string, ErpPlace] => [
        place,
        { authority: stock_authority ?? 'hub', is_stated: stock_authority !== undefined, code: erp_code ?? null },
      ])
      return [
        [id, { ...choices, company_id: id, connection_id: connection, since: since ?? null, places: new Map(places) }],
      ]
    }),
  )
}
