import Type from 'typebox'
import { asHubError, HubError } from '../../core/errors.ts'
import type { ErpRequest } from '../../core/model/effects.ts'
import type { Odoo } from './client.ts'
import { lookUp, type Product } from './products.ts'
import { rows, search } from './records.ts'
import { converge } from './steps.ts'
import { warehouseOf } from './transfers.ts'
import { idOf, Ref, unitsOf } from './values.ts'

type Stock = Extract<ErpRequest, { kind: 'stock' }>

const QUANT = rows('stock.quant', {
  product_id: Ref,
  location_id: Ref,
  lot_id: Ref,
  package_id: Ref,
  owner_id: Ref,
  quantity: Type.Number(),
})
type Quant = Awaited<ReturnType<typeof readQuants>>[number]

const LINES_TOLD = 5

/**
 * What is on hand in a warehouse, where the hub is who knows. The quantity of the stock location is set in one call that is absolute and
 * applied at once: two calls (count, then apply) would set stock to nought when the second one is made twice. Reservations stay.
 */
export async function sendStock(odoo: Odoo, { warehouse_code, lines }: Stock): Promise<string> {
  const warehouse = await warehouseOf(odoo, warehouse_code)
  const { found, missing, doubled } = await lookUp(odoo, lines.map(({ sku }) => sku)) // prettier-ignore
  const refused = [...missing.map((sku) => `${sku} is unknown`), ...doubled.map((sku) => `${sku} is there twice`)]
  const quants = Map.groupBy(
    await readQuants(odoo, warehouse.root, [...found.values()]),
    ({ product_id }) => idOf(product_id) ?? 0,
  )
  for (const { sku, on_hand } of lines) {
    const product = found.get(sku)
    if (product === undefined) continue
    if (product.tracked || !product.goods) {
      refused.push(`${sku} is ${product.tracked ? 'counted by lots' : 'a service'}`)
      continue
    }
    if (sumOf(quants.get(product.id) ?? []) === on_hand) continue
    try {
      await setOnHand(odoo, { product, on_hand, root: warehouse.root, stock: warehouse.stock })
    } catch (thrown) {
      const { code, message } = asHubError(thrown)
      // The other counts go on; what passes by itself, or concerns all of them, ends the run.
      if (code !== 'vendor_rejected' && code !== 'vendor_conflict') throw thrown
      refused.push(`${sku} ${message}`)
    }
  }
  if (refused.length > 0) throw new HubError('vendor_rejected', toldOf(refused, lines.length))
  return warehouse.code
}

const toldOf = (refused: readonly string[], all: number): string => {
  const more = refused.length > LINES_TOLD ? ` and ${refused.length - LINES_TOLD} more` : ''
  return `${refused.length} of ${all} counts could not be set in Odoo: ${refused.slice(0, LINES_TOLD).join(', ')}${more}`
}

/** Everything below the warehouse's own location that is ours to keep. */
function readQuants(odoo: Odoo, root: number, products: readonly Product[]) {
  const ids = products.map(({ id }) => id)
  return search(
    odoo,
    QUANT,
    [
      ['product_id', 'in', ids],
      ['location_id', 'child_of', [root]],
      ['location_id.usage', '=', 'internal'],
    ],
    { order: 'id' },
  )
}

const sumOf = (quants: readonly Quant[]): number =>
  quants.reduce((sum, { quantity }) => sum + unitsOf(quantity, 'stock'), 0)

/** Before 15 setting the count was enough; since then the field that applies at once is the stock managers'. */
async function countField(odoo: Odoo): Promise<string> {
  if (odoo.version < 15) return 'inventory_quantity'
  const { inventory_quantity_auto_apply: field } = await odoo.names('stock.quant', ['inventory_quantity_auto_apply'])
  if (field !== null && field !== undefined) return field
  throw new HubError('forbidden', 'the user may not set stock: it needs the rights of a stock manager')
}

interface OnHand {
  product: Product
  on_hand: number
  root: number
  stock: number
}

/** What lies in other places of the warehouse stays there, and the stock location takes the difference. */
async function setOnHand(odoo: Odoo, target: OnHand): Promise<void> {
  const read = () => readQuants(odoo, target.root, [target.product])
  await converge([
    {
      name: 'stock',
      done: async () => sumOf(await read()) === target.on_hand,
      act: async () => {
        if ((await count(odoo, target, await read())) === 'written') return
        // Over JSON-RPC a creation that Odoo repeats, because another count came between, has lost its number and leaves an empty record.
        const made = await read()
        if (sumOf(made) !== target.on_hand) await count(odoo, target, made)
      },
    },
  ])
}

async function count(
  odoo: Odoo,
  { product, on_hand, stock }: OnHand,
  quants: readonly Quant[],
): Promise<'created' | 'written'> {
  const field = await countField(odoo)
  const quant = quants.find(
    ({ location_id, lot_id, package_id, owner_id }) =>
      idOf(location_id) === stock && lot_id === false && package_id === false && owner_id === false,
  )
  const elsewhere = sumOf(quants.filter((other) => other !== quant))
  if (on_hand < elsewhere)
    throw new HubError(
      'vendor_rejected',
      `has ${elsewhere} in other places of the warehouse, which is more than there is`,
    )
  const context = { inventory_mode: true }
  if (quant === undefined || odoo.version < 15) {
    const vals = { product_id: product.id, location_id: stock, [field]: on_hand - elsewhere }
    await odoo.tell('stock.quant', 'create', { args: { vals_list: [vals] }, context })
    return 'created'
  }
  await odoo.tell('stock.quant', 'write', {
    ids: [quant.id],
    args: { vals: { [field]: on_hand - elsewhere } },
    context,
  })
  return 'written'
}
