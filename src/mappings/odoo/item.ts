import { HubError } from '../../core/errors.ts'
import { defineMapping, type MappingContext } from '../define.ts'
import { scaled, wholeQuotient } from './numbers.ts'
import { OdooItemPayload, type OdooKit } from './payloads.ts'

/** Grams in a unit of weight, as a fraction; the company's unit is kilograms or pounds. */
const GRAMS: Readonly<Record<string, readonly [bigint, bigint]>> = {
  kg: [1_000n, 1n],
  lb: [45_359_237n, 100_000n],
  g: [1n, 1n],
}

const GRAMS_MAX = 1_000_000_000
const NAME_MAX = 500
const BARCODE_MAX = 100
const COMPONENTS_MAX = 100

/** A product of Odoo as an item. A SKU that two active products have is parked with each of them: nobody can say which one is meant. */
export const odooItem = defineMapping({
  from: OdooItemPayload,
  map: (product, context) => {
    const { default_code: sku, name, barcode, active, same_sku } = product
    if (same_sku.length > 0) {
      throw new HubError('payload_invalid', `Odoo has ${same_sku.length + 1} active products with the SKU ${sku}`, {
        path: '$.default_code',
        hint: `give products ${[product.id, ...same_sku].join(', ')} a SKU each, or archive all but one`,
      })
    }
    const document = {
      sku,
      name: name.slice(0, NAME_MAX),
      barcode: barcode === null || barcode.length > BARCODE_MAX ? null : barcode,
      weight_g: gramsOf(product, context),
      kit: kitOf(product.kit, sku),
      active,
    }
    return [{ kind: 'item', document }]
  },
})

function gramsOf({ weight, weight_unit, default_code }: OdooItemPayload, context: MappingContext): number | null {
  const unit = GRAMS[weight_unit.toLowerCase()]
  if (unit === undefined) {
    context.warn(`unknown unit of weight of ${default_code}, its weight is left out`)
    return null
  }
  const grams = scaled(weight, ...unit)
  if (grams <= GRAMS_MAX) return grams > 0 ? grams : null
  context.warn(`the weight of ${default_code} is beyond a thousand tonnes and is left out`)
  return null
}

function kitOf(kit: OdooKit | null, sku: string): { sku: string; quantity: number }[] | null {
  if (kit === null) return null
  const components = new Map<string, number>()
  for (const [at, line] of kit.lines.entries()) {
    const path = `$.kit.lines[${at}]`
    const refuse = (why: string): HubError => new HubError('payload_invalid', `kit ${sku}: ${why}`, { path })
    if (line.sku === null) throw refuse('a component has no SKU')
    if (line.is_kit) throw refuse(`component ${line.sku} is a kit itself`)
    if (line.for_some) throw refuse(`component ${line.sku} is for certain variants only`)
    if (!line.own_unit) throw refuse(`component ${line.sku} is counted in another unit than its own`)
    const quantity = wholeQuotient(line.quantity, kit.quantity)
    if (quantity === null || quantity <= 0) throw refuse(`component ${line.sku} does not come to whole units a kit`)
    components.set(line.sku, (components.get(line.sku) ?? 0) + quantity)
  }
  if (components.size > COMPONENTS_MAX)
    throw new HubError('payload_invalid', `kit ${sku} has more than ${COMPONENTS_MAX} components`, {
      path: '$.kit.lines',
    })
  if (components.size === 0)
    throw new HubError('payload_invalid', `kit ${sku} has no components`, { path: '$.kit.lines' })
  return [...components].map(([component, quantity]) => ({ sku: component, quantity }))
}
