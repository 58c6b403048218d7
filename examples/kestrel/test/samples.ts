/** As Kestrel's documentation shows it. */
export const ORDER = {
  id: 'ord_1001',
  number: 'K-1001',
  status: 'paid',
  revision: 2,
  placed_at: '2026-11-02T08:15:00.000Z',
  changed_at: '2026-11-02T08:15:04.120Z',
  currency: 'EUR',
  buyer: { name: 'Ada Example', email: 'ada@buyers.kestrel.example' },
  shipping_address: {
    name: 'Ada Example',
    company: null,
    street: 'Lindenweg 4',
    street_extra: null,
    postcode: '10115',
    city: 'Berlin',
    region: null,
    country: 'DE',
    phone: null,
  },
  lines: [
    {
      id: '1',
      sku: 'TEA-250',
      title: 'Green tea 250 g',
      quantity: 3,
      cancelled_quantity: 0,
      shipped_quantity: 0,
      unit_price: '12.50',
      discount: '2.50',
      vat: '2.29',
      total: '35.00',
    },
  ],
  shipping_price: '4.90',
  shipping_vat: '0.78',
  total: '39.90',
  parcels: [],
}

const [LINE] = ORDER.lines

/** Two of three units went, the buyer took the third back. */
export const CUT_DOWN = {
  ...ORDER,
  status: 'shipped',
  revision: 4,
  lines: [{ ...LINE, cancelled_quantity: 1, shipped_quantity: 2 }],
}
export const CANCELLED = {
  ...ORDER,
  status: 'cancelled',
  revision: 3,
  lines: [{ ...LINE, cancelled_quantity: 3 }],
}
export const EVENT = {
  event_id: 'evt_7',
  type: 'order.changed',
  occurred_at: '2026-11-02T08:15:04.120Z',
  order: ORDER,
}
