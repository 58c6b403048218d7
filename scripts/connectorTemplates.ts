/** The texts of a new connector: one row a kind says what its first message is, the rest is the same for all. */

export interface KindTemplate {
  /** The first message that such a vendor is asked for. */
  topic: string
  stream: string
  /** The field of it that says when it changed last. */
  changed: string
  /** Object that the vendor's API answers, as TypeScript: only what is read. */
  schema: string
  /** Facts, as TypeScript, from `document` and `context`. */
  facts: string
  /** Further imports of the mapping. */
  uses: string
  /** Tables of vendor words. */
  words: string
  sample: string
  /** The sample with a word that nobody knows; null: it has no such word. */
  unknown: string | null
}

const ORDER: KindTemplate = {
  topic: 'order',
  stream: 'orders',
  changed: 'changed_at',
  uses: "import { minorFromDecimal } from '../../core/model/money.ts'\nimport { defineMapping, fromTable, instantOf } from '../define.ts'",
  schema: `Type.Object({
  id: Type.String(),
  changed_at: Type.String(),
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  payment: Type.String(),
  lines: Type.Array(
    Type.Object({ id: Type.String(), sku: Type.String(), units: Type.Integer({ minimum: 0 }), price: Type.String() }),
  ),
})`,
  words: `/** The vendor's words for how far an order is paid. */
const PAYMENT_STATES = { paid: 'paid', waiting: 'pending' } as const
`,
  facts: `{
    const lines = document.lines.map((line, index) => {
      const unit_price_minor = minorFromDecimal(line.price, document.currency, \`$.lines[\${index}].price\`)
      return {
        external_id: line.id,
        channel_sku: line.sku,
        title: null,
        quantity: line.units,
        unit_price_minor,
        discount_minor: 0,
        tax_minor: 0,
        total_minor: unit_price_minor * line.units,
        requires_shipping: true,
      }
    })
    const total_minor = lines.reduce((sum, line) => sum + line.total_minor, 0)
    const updated_at = instantOf(document.changed_at, '$.changed_at')
    return [
      {
        kind: 'order',
        document: {
          external_id: document.id,
          number: document.id,
          version: { updated_at, observed_at: context.observed_at },
          placed_at: updated_at,
          currency: document.currency,
          lifecycle: 'open',
          cancelled_at: null,
          payment_state: fromTable(PAYMENT_STATES, document.payment, 'pending', context, 'payment state'),
          taxes_included: true,
          test: false,
          buyer: null,
          ship_to: null,
          bill_to: null,
          shipping_method: null,
          lines,
          totals: {
            subtotal_minor: total_minor,
            discount_minor: 0,
            shipping_minor: 0,
            tax_minor: 0,
            total_minor,
            refunded_minor: 0,
          },
          payment_ids: [],
          refunds: [],
        },
      },
    ]
  }`,
  sample: `{
  id: 'A-1001',
  changed_at: '2026-11-20T08:00:00Z',
  currency: 'EUR',
  payment: 'paid',
  lines: [{ id: '1', sku: 'TEA-GREEN-100', units: 2, price: '8.90' }],
}`,
  unknown: "{ ...SAMPLE, payment: 'bartered' }",
}

const SHIPMENT: KindTemplate = {
  topic: 'shipment',
  stream: 'shipments',
  changed: 'shipped_at',
  uses: "import { defineMapping, instantOf } from '../define.ts'",
  words: '',
  schema: `Type.Object({
  id: Type.String(),
  work: Type.String(),
  shipped_at: Type.String(),
  carrier: Type.String(),
  tracking_number: Type.String(),
  lines: Type.Array(Type.Object({ sku: Type.String(), units: Type.Integer({ minimum: 1 }) }), { minItems: 1 }),
})`,
  facts: `[
    {
      kind: 'shipment',
      document: {
        external_id: document.id,
        fulfillment_order: document.work,
        shipped_at: instantOf(document.shipped_at, '$.shipped_at'),
        carrier: document.carrier,
        tracking_number: document.tracking_number,
        tracking_url: null,
        lines: document.lines.map(({ sku, units }) => ({ sku, quantity: units, line_reference: null, lot: null })),
      },
    },
  ]`,
  sample: `{
  id: 'S-1',
  work: 'FO-1001',
  shipped_at: '2026-11-20T16:30:00Z',
  carrier: 'DHL',
  tracking_number: '00340434292135100186',
  lines: [{ sku: 'TEA-GREEN-100', units: 2 }],
}`,
  unknown: null,
}

const TRACKING: KindTemplate = {
  topic: 'tracking',
  stream: 'tracking',
  changed: 'at',
  uses: "import { defineMapping, fromTable, instantOf } from '../define.ts'",
  words: `/** The carrier's words for where a parcel is. */
const STATUSES = { moving: 'in_transit', at_the_door: 'out_for_delivery', delivered: 'delivered' } as const
`,
  schema: `Type.Object({
  number: Type.String(),
  code: Type.String(),
  status: Type.String(),
  at: Type.String(),
})`,
  facts: `[
    {
      kind: 'tracking_event',
      document: {
        carrier: null,
        tracking_number: document.number,
        code: document.code,
        status: fromTable(STATUSES, document.status, 'unknown', context, 'parcel status'),
        at: instantOf(document.at, '$.at'),
        place: null,
      },
    },
  ]`,
  sample: `{ number: '00340434292135100186', code: 'DLV', status: 'delivered', at: '2026-11-21T10:12:00Z' }`,
  unknown: "{ ...SAMPLE, status: 'beamed' }",
}

const PAYMENT: KindTemplate = {
  topic: 'payment',
  stream: 'payments',
  changed: 'at',
  uses: "import { minorFromDecimal } from '../../core/model/money.ts'\nimport { defineMapping, fromTable, instantOf } from '../define.ts'",
  words: `/** The gateway's words for how a payment ended. */
const STATUSES = { done: 'succeeded', open: 'pending', refused: 'failed' } as const
`,
  schema: `Type.Object({
  id: Type.String(),
  order: Type.String(),
  at: Type.String(),
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  amount: Type.String(),
  status: Type.String(),
})`,
  facts: `[
    {
      kind: 'payment',
      document: {
        external_id: document.id,
        kind: 'capture',
        status: fromTable(STATUSES, document.status, 'pending', context, 'payment status'),
        at: instantOf(document.at, '$.at'),
        currency: document.currency,
        amount_minor: minorFromDecimal(document.amount, document.currency, '$.amount'),
        references: { order_external_id: document.order, order_number: null, payment_ids: [document.id] },
      },
    },
  ]`,
  sample: `{
  id: 'P-1',
  order: 'A-1001',
  at: '2026-11-20T08:00:10Z',
  currency: 'EUR',
  amount: '17.80',
  status: 'done',
}`,
  unknown: "{ ...SAMPLE, status: 'bartered' }",
}

const ITEM: KindTemplate = {
  topic: 'item',
  stream: 'items',
  changed: 'changed_at',
  uses: "import { defineMapping } from '../define.ts'",
  words: '',
  schema: `Type.Object({
  sku: Type.String(),
  name: Type.String(),
  sold: Type.Boolean(),
})`,
  facts: `[
    {
      kind: 'item',
      document: {
        sku: document.sku,
        name: document.name,
        barcode: null,
        weight_g: null,
        kit: null,
        active: document.sold,
      },
    },
  ]`,
  sample: `{ sku: 'TEA-GREEN-100', name: 'Green tea 100 g', sold: true, changed_at: '2026-11-20T08:00:00Z' }`,
  unknown: null,
}

export const KIND_TEMPLATES = {
  storefront: ORDER,
  marketplace: ORDER,
  '3pl': SHIPMENT,
  carrier: TRACKING,
  gateway: PAYMENT,
  erp: ITEM,
} as const satisfies Record<string, KindTemplate>
export type TemplateKind = keyof typeof KIND_TEMPLATES
