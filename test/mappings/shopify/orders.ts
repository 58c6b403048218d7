/** Orders in the shapes in which Shopify tells them, written by hand from the field tables. */

export type Json = Record<string, unknown>

export const bag = (field: string, amount: string, currency = 'EUR'): Json => ({
  [field]: amount,
  [`${field}_set`]: {
    shop_money: { amount, currency_code: currency },
    presentment_money: { amount: '999.99', currency_code: 'USD' },
  },
})

const ADDRESS = {
  first_name: 'Grace',
  last_name: 'Example',
  name: 'Grace Example',
  company: 'Example GmbH',
  address1: 'Lindenweg 4',
  address2: '',
  city: 'Köln',
  province: 'North Rhine-Westphalia',
  province_code: 'NW',
  zip: '50667',
  country: 'Germany',
  country_code: 'DE',
  phone: '+49 221 000000',
}

/** Two lines, line and order discounts, two taxes on one line, two shipping lines of which one is discounted, prices before tax. */
export const RICH = {
  id: 5001,
  admin_graphql_api_id: 'gid://shopify/Order/5001',
  name: '#2001',
  order_number: 2001,
  created_at: '2026-11-02T10:00:00+01:00',
  processed_at: '2026-11-02T10:00:01+01:00',
  updated_at: '2026-11-02T10:05:00+01:00',
  cancelled_at: null,
  closed_at: null,
  currency: 'EUR',
  presentment_currency: 'USD',
  financial_status: 'paid',
  fulfillment_status: null,
  taxes_included: false,
  test: false,
  email: 'grace@example.org',
  contact_email: 'grace@example.org',
  phone: null,
  customer: { id: 8001, first_name: 'Grace', last_name: 'Example', email: 'grace@example.org' },
  billing_address: ADDRESS,
  shipping_address: ADDRESS,
  shipping_lines: [
    { title: 'DHL', ...bag('price', '5.00'), discount_allocations: [{ ...bag('amount', '1.50') }], is_removed: false },
    { title: 'Gift wrap', ...bag('price', '2.00'), discount_allocations: [], is_removed: false },
    { title: 'Express', ...bag('price', '20.00'), discount_allocations: [], is_removed: true },
  ],
  line_items: [
    {
      id: 9001,
      sku: 'TEA',
      variant_id: 71,
      title: 'Green tea',
      name: 'Green tea - 100 g',
      quantity: 3,
      current_quantity: 3,
      fulfillable_quantity: 3,
      fulfillment_status: null,
      ...bag('price', '10.00'),
      requires_shipping: true,
      discount_allocations: [bag('amount', '3.00'), bag('amount', '0.60')],
      tax_lines: [
        { title: 'VAT', rate: 0.07, ...bag('price', '1.85') },
        { title: 'City', rate: 0.01, ...bag('price', '0.26') },
      ],
    },
    {
      id: 9002,
      sku: '',
      variant_id: 72,
      title: 'Voucher',
      name: 'Voucher',
      quantity: 1,
      current_quantity: 1,
      fulfillable_quantity: 0,
      fulfillment_status: null,
      ...bag('price', '25.00'),
      requires_shipping: false,
      discount_allocations: [],
      tax_lines: [],
    },
  ],
  ...bag('subtotal_price', '51.40'),
  ...bag('total_discounts', '5.10'),
  ...bag('total_tax', '2.11'),
  ...bag('total_price', '59.01'),
  payment_gateway_names: ['stripe'],
  transactions: [
    {
      id: 1,
      kind: 'authorization',
      status: 'success',
      amount: '59.01',
      currency: 'EUR',
      payment_id: 'c5001.1',
      authorization: 'pi_1',
    },
    {
      id: 2,
      kind: 'capture',
      status: 'success',
      amount: '59.01',
      currency: 'EUR',
      payment_id: 'c5001.1',
      authorization: 'ch_1',
    },
    {
      id: 3,
      kind: 'sale',
      status: 'failure',
      amount: '59.01',
      currency: 'EUR',
      payment_id: 'c5001.0',
      authorization: null,
    },
  ],
  fulfillments: [] as Json[],
  refunds: [] as Json[],
}

const shopMoney = (amount: string) => ({ shopMoney: { amount } })
const graphAddress = {
  name: 'Grace Example',
  company: 'Example GmbH',
  address1: 'Lindenweg 4',
  address2: '',
  city: 'Köln',
  province: 'North Rhine-Westphalia',
  provinceCode: 'NW',
  zip: '50667',
  countryCodeV2: 'DE',
  phone: '+49 221 000000',
}
const connection = (nodes: unknown[]) => ({ pageInfo: { hasNextPage: false, endCursor: null }, nodes })
const transaction = (
  id: number,
  kind: string,
  status: string,
  paymentId: string,
  authorizationCode: string | null,
) => ({
  id: `gid://shopify/OrderTransaction/${id}`,
  kind,
  status,
  amountSet: shopMoney('59.01'),
  paymentId,
  authorizationCode,
  processedAt: '2026-11-02T09:00:01Z',
})

/** The same order as the Admin API answers it: other names, other number texts, times in UTC. */
export const RICH_NODE = {
  id: 'gid://shopify/Order/5001',
  legacyResourceId: '5001',
  name: '#2001',
  createdAt: '2026-11-02T09:00:00Z',
  processedAt: '2026-11-02T09:00:01Z',
  updatedAt: '2026-11-02T09:05:00Z',
  cancelledAt: null,
  closedAt: null,
  email: 'grace@example.org',
  phone: null,
  displayFinancialStatus: 'PAID',
  currencyCode: 'EUR',
  taxesIncluded: false,
  test: false,
  subtotalPriceSet: shopMoney('51.4'),
  totalDiscountsSet: shopMoney('5.1'),
  totalTaxSet: shopMoney('2.11'),
  totalPriceSet: shopMoney('59.01'),
  customer: { legacyResourceId: '8001', firstName: 'Grace', lastName: 'Example' },
  billingAddress: graphAddress,
  shippingAddress: graphAddress,
  shippingLines: connection([
    {
      title: 'DHL',
      originalPriceSet: shopMoney('5.0'),
      discountAllocations: [{ allocatedAmountSet: shopMoney('1.5') }],
    },
    { title: 'Gift wrap', originalPriceSet: shopMoney('2.0'), discountAllocations: [] },
  ]),
  lineItems: connection([
    {
      id: 'gid://shopify/LineItem/9001',
      sku: 'TEA',
      name: 'Green tea - 100 g',
      variant: { legacyResourceId: '71' },
      quantity: 3,
      currentQuantity: 3,
      unfulfilledQuantity: 3,
      requiresShipping: true,
      originalUnitPriceSet: shopMoney('10.0'),
      discountAllocations: [{ allocatedAmountSet: shopMoney('3.0') }, { allocatedAmountSet: shopMoney('0.6') }],
      taxLines: [{ priceSet: shopMoney('1.85') }, { priceSet: shopMoney('0.26') }],
    },
    {
      id: 'gid://shopify/LineItem/9002',
      sku: '',
      name: 'Voucher',
      variant: { legacyResourceId: '72' },
      quantity: 1,
      currentQuantity: 1,
      unfulfilledQuantity: 0,
      requiresShipping: false,
      originalUnitPriceSet: shopMoney('25.0'),
      discountAllocations: [],
      taxLines: [],
    },
  ]),
  transactions: [
    transaction(1, 'AUTHORIZATION', 'SUCCESS', 'c5001.1', 'pi_1'),
    transaction(2, 'CAPTURE', 'SUCCESS', 'c5001.1', 'ch_1'),
    transaction(3, 'SALE', 'FAILURE', 'c5001.0', null),
  ],
  fulfillments: [],
  refunds: [] as unknown[],
}

/** As it was told years ago: no money bags, no current quantities, no allocations. */
export const OLD = {
  id: 301,
  name: '#1003',
  created_at: '2012-03-04T05:06:07-05:00',
  updated_at: '2012-03-04T05:06:07-05:00',
  currency: 'USD',
  financial_status: 'authorized',
  taxes_included: false,
  email: 'old@example.org',
  line_items: [
    {
      id: 302,
      sku: 'OLD-1',
      quantity: 2,
      price: '7.50',
      total_discount: '1.00',
      title: 'Old thing',
      requires_shipping: true,
    },
  ],
  shipping_lines: [{ title: 'Ground', price: '4.00' }],
  subtotal_price: '14.00',
  total_discounts: '1.00',
  total_tax: '0.00',
  total_price: '18.00',
}

/** One line of `quantity` units at 1.00 with 20 % tax on top, and refunds of it. */
export function lineOrder(line: Json, refunds: Json[] = [], more: Json = {}): Json {
  const { quantity } = line as { quantity: number }
  return {
    ...OLD,
    currency: 'EUR',
    line_items: [
      {
        id: 302,
        sku: 'A',
        price: '1.00',
        tax_lines: [{ price: (quantity * 0.2).toFixed(2) }],
        discount_allocations: [],
        ...line,
      },
    ],
    shipping_lines: [],
    subtotal_price: `${quantity}.00`,
    total_discounts: '0.00',
    total_tax: (quantity * 0.2).toFixed(2),
    total_price: (quantity * 1.2).toFixed(2),
    refunds,
    ...more,
  }
}

export const refundOf = (id: number, quantity: number, restock_type: string, more: Json = {}): Json => ({
  id,
  order_id: 301,
  created_at: '2026-11-03T00:00:00Z',
  note: 'changed my mind',
  refund_line_items: [
    { id: id + 1, line_item_id: 302, quantity, restock_type, subtotal: quantity, total_tax: quantity * 0.2 },
  ],
  transactions: [
    {
      id: id + 2,
      kind: 'refund',
      status: 'success',
      amount: `${quantity}.20`,
      currency: 'EUR',
      payment_id: 'c301.2',
      authorization: 're_1',
    },
  ],
  ...more,
})
