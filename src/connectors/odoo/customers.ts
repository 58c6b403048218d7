import { createHash } from 'node:crypto'
import Type from 'typebox'
import type { ErpOrder } from '../../core/model/effects.ts'
import type { Address } from '../../core/model/party.ts'
import type { Odoo } from './client.ts'
import { externalId, findOurs, load, rows, search, type Cells } from './records.ts'
import { converge } from './steps.ts'
import { Text } from './values.ts'

export interface Partners {
  customer: number
  /** Null: the order does not say (any more), and what stands there stays. */
  shipping: number | null
  invoicing: number | null
}

/**
 * The customer with the addresses of this order. A customer is written once and then belongs to the people who work in Odoo; an address is
 * never changed but joined by the next one, because orders that are done keep theirs.
 */
export async function ensurePartners(odoo: Odoo, order: ErpOrder): Promise<Partners> {
  const { customer } = order
  const key = `customer:${customer.external_id}`
  const name = customer.name ?? customer.bill_to?.name ?? customer.ship_to?.name ?? `Buyer of ${order.order_number}`
  const phone = customer.ship_to?.phone ?? customer.bill_to?.phone ?? ''
  const partner = await ensure(odoo, key, () =>
    Promise.resolve({ name, email: customer.email ?? '', phone, customer_rank: '1' }),
  )
  const place = async (address: Address | null, type: 'delivery' | 'invoice'): Promise<number | null> =>
    address === null
      ? null
      : await ensure(odoo, `${key}:address:${digestOf(address)}`, () =>
          addressCells(odoo, { address, type, partner, name }),
        )
  const shipping = await place(customer.ship_to, 'delivery')
  const { ship_to, bill_to } = customer
  const isOnePlace = ship_to !== null && bill_to !== null && digestOf(ship_to) === digestOf(bill_to)
  const invoicing = isOnePlace ? shipping : await place(bill_to, 'invoice')
  return { customer: partner, shipping, invoicing: invoicing ?? shipping }
}

async function ensure(odoo: Odoo, key: string, cells: () => Promise<Cells>): Promise<number> {
  let id: number | null = null
  await converge([
    {
      name: 'customer',
      done: async () => (id = await findOurs(odoo, 'res.partner', key)) !== null,
      act: async () => {
        const known = await odoo.names('res.partner', ['customer_rank'])
        const { customer_rank, ...rest } = await cells()
        const ranked = known['customer_rank'] === null || customer_rank === undefined ? {} : { customer_rank }
        await load(odoo, 'res.partner', { id: externalId(odoo, key), ...rest, ...ranked })
      },
    },
  ])
  return id ?? 0
}

/** Two spellings of a place that differ in blanks or case are one. */
function digestOf(address: Address): string {
  const parts = Object.entries(address)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => (value ?? '').trim().replace(/\s+/g, ' ').toLowerCase())
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16)
}

const COUNTRY = rows('res.country', { code: Text })
const STATE = rows('res.country.state', { code: Type.String(), name: Type.String() })

async function addressCells(
  odoo: Odoo,
  { address, type, partner, name }: { address: Address; type: 'delivery' | 'invoice'; partner: number; name: string },
): Promise<Cells> {
  const called = [address.company, address.name ?? name].filter((part) => part !== null && part !== '').join(', ')
  const country = address.country === null ? null : await countryOf(odoo, address.country)
  const state = country === null || address.region === null ? null : await stateOf(odoo, country, address.region)
  return {
    'parent_id/.id': String(partner),
    type,
    name: called,
    street: address.line1 ?? '',
    street2: address.line2 ?? '',
    city: address.city ?? '',
    zip: address.postcode ?? '',
    phone: address.phone ?? '',
    'country_id/.id': country === null ? '' : String(country),
    'state_id/.id': state === null ? '' : String(state),
  }
}

const countryOf = (odoo: Odoo, code: string): Promise<number | null> =>
  odoo.keep(
    `country ${code}`,
    async () => (await search(odoo, COUNTRY, [['code', '=', code]], { limit: 1 }))[0]?.id ?? null,
  )

async function stateOf(odoo: Odoo, country: number, region: string): Promise<number | null> {
  const states = await odoo.keep(`states ${country}`, () => search(odoo, STATE, [['country_id', '=', country]]))
  const word = region.trim().toLowerCase()
  const short = word.replace(/^[a-z]{2}-/, '')
  return (
    states.find(({ code, name }) => [word, short].includes(code.toLowerCase()) || name.toLowerCase() === word)?.id ??
    null
  )
}
