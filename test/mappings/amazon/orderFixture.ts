/** An order of the Orders API 2026-01-01, made up from the field tables of its model. Parts are replaced by a test where it needs others. */

export const money = (amount: string, currencyCode = 'USD') => ({ amount, currencyCode })

export const ITEM = {
  orderItemId: '11223344556677',
  quantityOrdered: 2,
  product: {
    asin: 'B0EXAMPLE1',
    title: 'Kettle, 1.7 l',
    sellerSku: 'KETTLE-17',
    condition: { conditionType: 'NEW' },
    price: { unitPrice: money('24.50') },
  },
  proceeds: {
    proceedsTotal: money('51.90'),
    breakdowns: [
      { type: 'ITEM', subtotal: money('49.00') },
      { type: 'SHIPPING', subtotal: money('5.00') },
      {
        type: 'DISCOUNT',
        subtotal: money('-6.00'),
        detailedBreakdowns: [
          { subtype: 'ITEM', value: money('-4.00') },
          { subtype: 'SHIPPING', value: money('-2.00') },
        ],
      },
      { type: 'TAX', subtotal: money('3.90'), detailedBreakdowns: [{ subtype: 'ITEM', value: money('3.90') }] },
    ],
  },
  promotion: { breakdowns: [{ promotionId: 'SPRING-6' }] },
  fulfillment: { quantityFulfilled: 0, quantityUnfulfilled: 2 },
  tax: { taxCollections: [{ model: 'MARKETPLACE_FACILITATOR', responsibleParty: 'Amazon Services, Inc.' }] },
}

export const ORDER = {
  orderId: '111-2223334-5556667',
  orderAliases: [{ aliasId: 'OWN-4711', aliasType: 'SELLER_ORDER_ID' }],
  createdTime: '2026-11-18T22:10:05Z',
  lastUpdatedTime: '2026-11-19T06:00:00.250Z',
  programs: ['PRIME'],
  salesChannel: { channelName: 'AMAZON', marketplaceId: 'ATVPDKIKX0DER', marketplaceName: 'Amazon.com' },
  buyer: { buyerName: 'Grace Sample', buyerEmail: 'alias77@marketplace.example' },
  recipient: {
    deliveryAddress: {
      name: 'Grace Sample',
      companyName: 'Sample & Sons',
      addressLine1: '12 Pine Road',
      addressLine2: 'Unit 3',
      addressLine3: 'Back door',
      city: 'Springfield',
      stateOrRegion: 'IL',
      postalCode: '62701',
      countryCode: 'us',
      phone: '+1 555 0100',
      addressType: 'RESIDENTIAL',
    },
  },
  proceeds: {
    grandTotal: money('51.90'),
    breakdowns: [
      { type: 'ITEM', subtotal: money('49.00') },
      { type: 'SHIPPING', subtotal: money('5.00') },
      { type: 'DISCOUNT', subtotal: money('-6.00') },
      { type: 'TAX', subtotal: money('3.90') },
    ],
  },
  fulfillment: {
    fulfillmentStatus: 'UNSHIPPED',
    fulfilledBy: 'MERCHANT',
    fulfillmentServiceLevel: 'SECOND_DAY',
    shipByWindow: { earliestDateTime: '2026-11-19T08:00:00Z', latestDateTime: '2026-11-20T07:59:59Z' },
    deliverByWindow: { earliestDateTime: '2026-11-21T08:00:00Z', latestDateTime: '2026-11-23T07:59:59Z' },
  },
  orderItems: [ITEM],
  packages: [],
  somethingNew: { from: 'next year' },
}
