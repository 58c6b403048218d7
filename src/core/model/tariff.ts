import Type from 'typebox'
import { Currency } from './money.ts'
import { closed, Id, Words } from './schema.ts'
import { FEE_TYPES, SETTLEMENT_LINE_KINDS } from './settlement.ts'

const Minor = Type.Integer({ minimum: 0, maximum: 1_000_000_000_000 })
/** Hundredths of a percent: 290 is 2.9 %. */
const BasisPoints = Type.Integer({ minimum: 0, maximum: 100_000 })

/** What a fee rises with. The last step whose `from_minor` is reached decides. */
export const TariffTiers = Type.Object(
  {
    /** `amount`: of the line. `month_volume`: of all sales of the calendar month (UTC) before it. */
    by: Words(['amount', 'month_volume']),
    /** `whole`: the step's rate for the whole amount. `marginal`: each slice of the amount at its own rate; only by amount. */
    mode: Words(['whole', 'marginal']),
    steps: Type.Array(
      Type.Object({ from_minor: Minor, percent_bp: BasisPoints, fixed_minor: Type.Optional(Minor) }, closed),
      { minItems: 1, maxItems: 50 },
    ),
  },
  closed,
)

/** What happens to a fee when the buyer gets money back. */
export const TariffRefund = Type.Object(
  {
    /** `returned`: in proportion to what is refunded. `kept`: the processor keeps it. */
    percent: Words(['returned', 'kept']),
    /** Whether the fixed part comes back with it, in the same proportion. */
    fixed: Words(['returned', 'kept']),
    /** What the processor keeps of the returned fee for its trouble: the lesser of the share and `max_minor`. */
    administration: Type.Optional(Type.Object({ percent_bp: BasisPoints, max_minor: Type.Optional(Minor) }, closed)),
  },
  closed,
)

/** One agreed price. The first clause that fits a charge decides; a field of `when` that is left out fits everything. */
export const TariffClause = Type.Object(
  {
    /** Quoted in claims. */
    id: Id,
    when: Type.Optional(
      Type.Object(
        {
          /** Kind of the row that carries the fee: `sale` where the fee stands in the sale's own row. */
          kinds: Type.Optional(Type.Array(Words(SETTLEMENT_LINE_KINDS), { minItems: 1, maxItems: 18 })),
          fee_types: Type.Optional(Type.Array(Words(FEE_TYPES), { minItems: 1, maxItems: 15 })),
          categories: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 200 })),
          sku_prefixes: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 1_000 })),
        },
        closed,
      ),
    ),
    /** Kinds of rows of the same order (and SKU, where both name one) whose amounts the percentage is of. Left out: `sale`. */
    basis: Type.Optional(Type.Array(Words(SETTLEMENT_LINE_KINDS), { minItems: 1, maxItems: 18 })),
    percent_bp: Type.Optional(BasisPoints),
    fixed_minor: Type.Optional(Minor),
    /** What the fixed part is for. Left out: `line`. */
    fixed_per: Type.Optional(Words(['line', 'unit'])),
    tiers: Type.Optional(TariffTiers),
    min_minor: Type.Optional(Minor),
    max_minor: Type.Optional(Minor),
    /** On top of the fee, where it stands in the same row. */
    vat_bp: Type.Optional(BasisPoints),
    refund: Type.Optional(TariffRefund),
  },
  closed,
)
export type TariffClause = Type.Static<typeof TariffClause>

/** What was agreed with a processor or marketplace, for as long as its dates say. Amounts are minor units of `currency`. */
export const TariffDocument = Type.Object(
  {
    /** Lines in another currency are not judged by it. */
    currency: Currency,
    /** Categories that clauses speak of, by the SKUs in them. */
    categories: Type.Optional(
      Type.Record(Id, Type.Array(Id, { minItems: 1, maxItems: 10_000, description: 'SKU prefixes' })),
    ),
    clauses: Type.Array(TariffClause, { minItems: 1, maxItems: 1_000 }),
    /** A fee that no clause is about: nobody agreed to it (`claim`), or it is judged elsewhere (`ignore`, the default). */
    unlisted: Type.Optional(Words(['ignore', 'claim'])),
    /** Up to this a difference is rounding. Left out: 0. */
    tolerance_minor: Type.Optional(Minor),
  },
  closed,
)
export type TariffDocument = Type.Static<typeof TariffDocument>

/** Calendar date without a zone. */
export const CalendarDate = Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$' })
