import Type from 'typebox'
import { Currency } from '../core/model/money.ts'
import { closed } from '../core/model/schema.ts'
import { CalendarDate, TariffDocument } from '../core/model/tariff.ts'

/** Sections of the configuration that say how money is judged. */

const Reference = Type.String({ minLength: 1, maxLength: 63 })
const Minor = { minimum: 0, maximum: 1_000_000_000 }
const days = (preset: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 3_650, default: preset, description })

const BankRuleEntry = Type.Object(
  {
    contains: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
      minItems: 1,
      maxItems: 20,
      description:
        'Any of these, as the bank writes the payer or the purpose; case, blanks and punctuation do not count.',
    }),
    connection: { ...Reference, description: 'The connection whose payouts are meant.' },
  },
  closed,
)

export const FinanceSection = Type.Object(
  {
    timezone: Type.String({
      default: 'UTC',
      description: 'IANA name, such as Europe/Berlin: the days and months of the books.',
    }),
    write_off_limit_minor: Type.Integer({
      ...Minor,
      default: 500,
      description: "A write-off of more than this, in minor units of the break's currency, needs a second person.",
    }),
    tolerances_minor: Type.Record(Currency, Type.Integer(Minor), {
      ...closed,
      default: {},
      description: 'By currency: differences up to this, in minor units, are rounding. A currency left out has none.',
    }),
    settlement_days: days(14, 'Within so many days a capture or refund is expected in a payout.'),
    settlement_days_of: Type.Record(Reference, Type.Integer({ minimum: 0, maximum: 3_650 }), {
      default: {},
      description: 'The same for single connections, such as a marketplace that pays every 14 days.',
    }),
    bank_days: days(3, 'Within so many days after its arrival date a payout is expected on the bank account.'),
    bank_rules: Type.Array(BankRuleEntry, {
      default: [],
      maxItems: 500,
      description:
        'Words in bank lines that stand for a connection. They suggest a match to a person and never make one.',
    }),
    dispute_days: days(7, 'A dispute that waits for our answer for longer than this is a break.'),
    reserve_days: days(180, 'A reserve that is held for longer than this is a break.'),
    deferred_days: days(30, 'A payout that stays pending for longer than this is a break.'),
    file_bytes_max: Type.Integer({
      minimum: 1024,
      maximum: 512 * 1024 * 1024,
      default: 64 * 1024 * 1024,
      description: 'How large a file of payouts may be that is sent over HTTP. The command line has no such limit.',
    }),
    cost_method: Type.Unsafe<'fifo' | 'average'>({
      type: 'string',
      enum: ['fifo', 'average'],
      default: 'fifo',
      description: 'How units that leave are valued: the oldest receipt first, or the moving average.',
    }),
  },
  { ...closed, default: {} },
)

export const TariffEntry = Type.Object(
  {
    connection: Reference,
    name: Type.String({ minLength: 1, maxLength: 100 }),
    valid_from: CalendarDate,
    valid_to: Type.Optional({ ...CalendarDate, description: 'The last day; left out: until the next one.' }),
    document: TariffDocument,
  },
  { ...closed, description: 'What was agreed with a processor or marketplace.' },
)
