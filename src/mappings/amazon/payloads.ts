import Type, { type TSchema } from 'typebox'

/** Orders API 2026-01-01: only what is read; Amazon may send more. Money is decimal text, statuses are upper-case words. */
const open = { additionalProperties: true } as const
const maybe = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const Text = Type.String()
const Units = Type.Integer({ minimum: 0 })

export const AmazonMoney = Type.Object({ amount: Text, currencyCode: Text }, open)
export type AmazonMoney = Type.Static<typeof AmazonMoney>

const Window = Type.Object({ earliestDateTime: maybe(Text), latestDateTime: maybe(Text) }, open)

const AmazonAddress = Type.Object(
  {
    name: maybe(Text),
    companyName: maybe(Text),
    addressLine1: maybe(Text),
    addressLine2: maybe(Text),
    addressLine3: maybe(Text),
    city: maybe(Text),
    districtOrCounty: maybe(Text),
    stateOrRegion: maybe(Text),
    municipality: maybe(Text),
    postalCode: maybe(Text),
    countryCode: maybe(Text),
    phone: maybe(Text),
  },
  open,
)
export type AmazonAddress = Type.Static<typeof AmazonAddress>

/** Of the order and of each item alike; items also say what a tax or discount is on. */
const Breakdown = Type.Object(
  {
    type: Text,
    subtotal: AmazonMoney,
    detailedBreakdowns: maybe(Type.Array(Type.Object({ subtype: maybe(Text), value: maybe(AmazonMoney) }, open))),
  },
  open,
)
export type AmazonBreakdown = Type.Static<typeof Breakdown>

const AmazonItem = Type.Object(
  {
    orderItemId: Type.String({ minLength: 1 }),
    quantityOrdered: Units,
    product: Type.Object(
      {
        asin: maybe(Text),
        title: maybe(Text),
        sellerSku: maybe(Text),
        price: maybe(Type.Object({ unitPrice: maybe(AmazonMoney) }, open)),
      },
      open,
    ),
    proceeds: maybe(Type.Object({ proceedsTotal: maybe(AmazonMoney), breakdowns: maybe(Type.Array(Breakdown)) }, open)),
    cancellation: maybe(
      Type.Object(
        {
          cancellationRequest: maybe(Type.Object({ requester: maybe(Text) }, open)),
          cancellationExecution: maybe(Type.Object({ cancelledBy: maybe(Text) }, open)),
        },
        open,
      ),
    ),
    fulfillment: maybe(Type.Object({ quantityFulfilled: maybe(Units), quantityUnfulfilled: maybe(Units) }, open)),
    tax: maybe(
      Type.Object(
        { taxCollections: maybe(Type.Array(Type.Object({ model: maybe(Text), responsibleParty: maybe(Text) }, open))) },
        open,
      ),
    ),
  },
  open,
)
export type AmazonItem = Type.Static<typeof AmazonItem>

export const AmazonOrder = Type.Object(
  {
    orderId: Type.String({ minLength: 1 }),
    createdTime: Text,
    lastUpdatedTime: Text,
    salesChannel: Type.Object({ channelName: maybe(Text), marketplaceId: maybe(Text) }, open),
    associatedOrders: maybe(Type.Array(Type.Object({ orderId: maybe(Text), associationType: maybe(Text) }, open))),
    buyer: maybe(Type.Object({ buyerName: maybe(Text), buyerEmail: maybe(Text), buyerCompanyName: maybe(Text) }, open)),
    recipient: maybe(Type.Object({ deliveryAddress: maybe(AmazonAddress) }, open)),
    proceeds: maybe(Type.Object({ grandTotal: maybe(AmazonMoney), breakdowns: maybe(Type.Array(Breakdown)) }, open)),
    fulfillment: maybe(
      Type.Object(
        {
          fulfillmentStatus: Text,
          fulfilledBy: maybe(Text),
          fulfillmentServiceLevel: maybe(Text),
          shipByWindow: maybe(Window),
          deliverByWindow: maybe(Window),
        },
        open,
      ),
    ),
    orderItems: Type.Array(AmazonItem),
  },
  open,
)
export type AmazonOrder = Type.Static<typeof AmazonOrder>

/** What the Notifications API puts into a queue. Some types write their names in lower camel case, so that none is asked for here. */
export const AmazonNotification = Type.Record(Type.String(), Type.Unknown())

/** One listing as `searchListingsItems` and `getListingsItem` show it. */
export const AmazonListing = Type.Object(
  {
    sku: Type.String({ minLength: 1 }),
    summaries: maybe(
      Type.Array(
        Type.Object(
          { marketplaceId: maybe(Text), asin: maybe(Text), productType: maybe(Text), itemName: maybe(Text) },
          open,
        ),
      ),
    ),
    fulfillmentAvailability: maybe(
      Type.Array(Type.Object({ fulfillmentChannelCode: Text, quantity: maybe(Type.Integer()) }, open)),
    ),
  },
  open,
)
export type AmazonListing = Type.Static<typeof AmazonListing>
