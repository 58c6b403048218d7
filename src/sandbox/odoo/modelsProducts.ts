import { f, type Field, type Models } from './model.ts'
import { linesOf, type Env } from './orm.ts'
import { explode } from './stock.ts'
import { numberOf, refOf, textOf, wordOf, type Row, type Value } from './values.ts'

/** Products, with what lies of them where, and kits. */

const SHARED = {
  name: f.char({ required: true }),
  list_price: f.float({ default: 1 }),
  type: f.choice({ default: 'consu' }),
  is_storable: f.flag(),
  tracking: f.choice({ default: 'none' }),
  invoice_policy: f.choice({ default: 'order' }),
  taxes_id: f.many('account.tax', { default: (env) => saleTax(env) }),
  uom_id: f.one('uom.uom', { default: 1 }),
  weight: f.float(),
  sale_ok: f.flag({ default: true }),
  purchase_ok: f.flag({ default: true }),
  weight_uom_name: f.char({ compute: () => 'kg' }),
} as const satisfies Record<string, Field>

/** The first sale tax of a company is what a product gets by itself. */
const saleTax = (env: Env): number[] => {
  const tax = env.store.all('account.tax').find((row) => textOf(row, 'type_tax_use') === 'sale')
  return tax === undefined ? [] : [tax.id]
}

/** A variant reads and writes through its template, as if the template's fields were its own. */
const delegated = (name: keyof typeof SHARED): Field => ({
  ...SHARED[name],
  required: false,
  compute: (env, row) => {
    const template = env.row('product.template', refOf(row, 'product_tmpl_id'))
    return template === undefined ? false : env.valueOf('product.template', template, name)
  },
  assign: (env, row, value) => env.write('product.template', [refOf(row, 'product_tmpl_id')], { [name]: value }),
})

const label = (env: Env, model: string, row: Row): string => {
  const code = textOf(row, 'default_code')
  const name = wordOf(env.valueOf(model, row, 'name'))
  return code === '' ? name : `[${code}] ${name}`
}

interface Counts {
  on_hand: number
  reserved: number
}

/** Below one warehouse where the context names one, else below all. */
function countsOf(env: Env, product: number): Counts {
  const wanted = env.context['warehouse_id']
  const counted = env.store.by('stock.quant', 'product_id', product).filter((quant) => {
    const location = env.need('stock.location', refOf(quant, 'location_id'))
    return (
      textOf(location, 'usage') === 'internal' &&
      (typeof wanted !== 'number' || refOf(location, 'warehouse_id') === wanted)
    )
  })
  return {
    on_hand: counted.reduce((sum, quant) => sum + numberOf(quant, 'quantity'), 0),
    reserved: counted.reduce((sum, quant) => sum + numberOf(quant, 'reserved_quantity'), 0),
  }
}

/** Of a kit: how many can be made of its parts. */
const units =
  (count: (counts: Counts) => number) =>
  (env: Env, row: Row): Value => {
    const parts = explode(env, row.id, 1)
    return Math.floor(Math.min(...parts.map((part) => count(countsOf(env, part.product)) / part.units)))
  }

const isKit = (env: Env, product: number): boolean => explode(env, product, 1).some((part) => part.product !== product)

const delegatedFields = Object.fromEntries(
  (Object.keys(SHARED) as (keyof typeof SHARED)[]).map((name) => [name, delegated(name)]),
)

export const PRODUCTS: Models = {
  'product.template': {
    fields: {
      ...SHARED,
      default_code: f.char({
        compute: (env, row) => variantOf(env, row.id)?.['default_code'] ?? false,
        assign: toVariant('default_code'),
      }),
      barcode: f.char({
        compute: (env, row) => variantOf(env, row.id)?.['barcode'] ?? false,
        assign: toVariant('barcode'),
      }),
      active: f.flag({ default: true }),
      product_variant_ids: f.lines('product.product', 'product_tmpl_id'),
      bom_ids: f.lines('mrp.bom', 'product_tmpl_id'),
      is_kits: f.flag({ compute: (env, row) => isKit(env, variantOf(env, row.id)?.id ?? 0) }),
    },
    display: (env, row) => {
      const code = textOf(variantOf(env, row.id) ?? { id: 0 }, 'default_code')
      return code === '' ? textOf(row, 'name') : `[${code}] ${textOf(row, 'name')}`
    },
    created: (env, row) => {
      if (env.context['create_product_product'] !== false && variantOf(env, row.id) === undefined)
        env.create('product.product', { product_tmpl_id: row.id })
    },
  },
  'product.product': {
    fields: {
      ...delegatedFields,
      product_tmpl_id: f.one('product.template', { default: (env, values) => ownTemplate(env, values) }),
      default_code: f.char(),
      barcode: f.char(),
      active: f.flag({ default: true }),
      qty_available: f.float({ compute: units(({ on_hand }) => on_hand) }),
      virtual_available: f.float({ compute: units(({ on_hand, reserved }) => on_hand - reserved) }),
      free_qty: f.float({ compute: units(({ on_hand, reserved }) => on_hand - reserved) }),
      incoming_qty: f.float({ compute: () => 0 }),
      outgoing_qty: f.float({ compute: units(({ reserved }) => reserved) }),
      is_kits: f.flag({ compute: (env, row) => isKit(env, row.id) }),
    },
    display: (env, row) => label(env, 'product.product', row),
  },
  'mrp.bom': {
    fields: {
      product_tmpl_id: f.one('product.template', { required: true }),
      product_id: f.one('product.product'),
      product_qty: f.float({ default: 1 }),
      type: f.choice({ default: 'normal' }),
      code: f.char(),
      active: f.flag({ default: true }),
      bom_line_ids: f.lines('mrp.bom.line', 'bom_id'),
    },
    display: (env, row) => env.nameOf('product.template', refOf(row, 'product_tmpl_id')),
  },
  'mrp.bom.line': {
    fields: {
      bom_id: f.one('mrp.bom', { required: true }),
      product_id: f.one('product.product', { required: true }),
      product_qty: f.float({ default: 1 }),
      product_uom_id: f.one('uom.uom', { default: 1 }),
    },
    display: (env, row) => env.nameOf('product.product', refOf(row, 'product_id')),
  },
}

const variantOf = (env: Env, template: number): Row | undefined =>
  linesOf(env, 'product.product', 'product_tmpl_id', template)[0]

function toVariant(field: string): NonNullable<Field['assign']> {
  return (env, row, value) => {
    const variant = variantOf(env, row.id)
    const id = variant?.id ?? env.create('product.product', { product_tmpl_id: row.id })
    env.write('product.product', [id], { [field]: value })
  }
}

/** A variant that is made by itself brings its template along; the template must not make another one. */
function ownTemplate(env: Env, values: Readonly<Record<string, Value>>): Value {
  const template = env.store.nextId('product.template')
  const shared = Object.entries(SHARED as Record<string, Field>).map(([name, field]): [string, Value] => {
    if (name in values && field.type !== 'many2many') return [name, values[name] ?? false]
    return [name, typeof field.default === 'function' ? field.default(env, values) : (field.default ?? false)]
  })
  const { write_date, create_date } = { write_date: '', create_date: '' }
  env.store.put('product.template', {
    id: template,
    write_date,
    create_date,
    active: true,
    ...Object.fromEntries(shared),
  })
  return template
}
