import Type, { type TSchema } from 'typebox'

/** Only what is read. Amounts are integers in the vendor's units (see units.ts), times are Unix seconds. */
const open = { additionalProperties: true } as const
const maybe = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const StripeId = Type.String({ minLength: 1, maxLength: 200 })
/** A reference is an id, or the object itself where the call asked to expand it. */
const Reference = maybe(Type.Union([StripeId, Type.Object({ id: StripeId }, open)]))
const Amount = Type.Integer({ minimum: -9_007_199_254_740_991, maximum: 9_007_199_254_740_991 })
const UnixSeconds = Type.Integer({ minimum: 0, maximum: 253_402_300_799 })
const CurrencyCode = Type.String({ pattern: '^[A-Za-z]{3}$' })
const Metadata = maybe(Type.Record(Type.String(), Type.String()))

export const StripeRefund = Type.Object(
  {
    id: StripeId,
    object: Type.Literal('refund'),
    amount: Amount,
    currency: CurrencyCode,
    created: UnixSeconds,
    status: maybe(Type.String()),
    reason: maybe(Type.String()),
    charge: Reference,
    payment_intent: Reference,
    metadata: Metadata,
  },
  open,
)
export type StripeRefund = Type.Static<typeof StripeRefund>

export const StripeCharge = Type.Object(
  {
    id: StripeId,
    object: Type.Literal('charge'),
    amount: Amount,
    amount_captured: Amount,
    captured: Type.Boolean(),
    refunded: Type.Boolean(),
    currency: CurrencyCode,
    created: UnixSeconds,
    status: Type.String(),
    payment_intent: Reference,
    metadata: Metadata,
    refunds: maybe(Type.Object({ data: Type.Array(StripeRefund) }, open)),
  },
  open,
)
export type StripeCharge = Type.Static<typeof StripeCharge>

export const StripeDispute = Type.Object(
  {
    id: StripeId,
    object: Type.Literal('dispute'),
    amount: Amount,
    currency: CurrencyCode,
    created: UnixSeconds,
    status: Type.String(),
    charge: Reference,
    payment_intent: Reference,
    metadata: Metadata,
  },
  open,
)

export const StripePayout = Type.Object(
  {
    id: StripeId,
    object: Type.Literal('payout'),
    amount: Amount,
    currency: CurrencyCode,
    created: UnixSeconds,
    arrival_date: maybe(UnixSeconds),
    automatic: Type.Boolean(),
    reconciliation_status: Type.Optional(Type.String()),
    status: Type.String(),
    trace_id: maybe(Type.Object({ value: maybe(Type.String()) }, open)),
  },
  open,
)
export type StripePayout = Type.Static<typeof StripePayout>

/** What a ledger row is about, expanded: enough of a charge, refund or dispute to find the order by. */
const Source = Type.Object(
  {
    id: StripeId,
    amount: maybe(Amount),
    currency: maybe(CurrencyCode),
    charge: Reference,
    payment_intent: Reference,
    metadata: Metadata,
  },
  open,
)

export const BalanceTransaction = Type.Object(
  {
    id: StripeId,
    object: Type.Literal('balance_transaction'),
    amount: Amount,
    fee: Amount,
    /** What the fee is made of. */
    fee_details: maybe(Type.Array(Type.Object({ amount: Amount, currency: CurrencyCode, type: Type.String() }, open))),
    net: Amount,
    exchange_rate: maybe(Type.Number({ exclusiveMinimum: 0 })),
    currency: CurrencyCode,
    created: UnixSeconds,
    type: StripeId,
    reporting_category: Type.Optional(Type.String()),
    source: maybe(Type.Union([StripeId, Source])),
  },
  open,
)
export type BalanceTransaction = Type.Static<typeof BalanceTransaction>

/** One payout with all rows that the vendor says it is made of, its own row included. */
export const PayoutWithRows = Type.Object(
  { payout: StripePayout, balance_transactions: Type.Array(BalanceTransaction) },
  open,
)
