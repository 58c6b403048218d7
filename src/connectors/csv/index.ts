import Type from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { SETTLEMENT_LINE_KINDS } from '../../core/model/settlement.ts'
import { Words } from '../../core/model/schema.ts'
import { CSV_COLUMNS, genericCsv } from '../../mappings/csv/settlement.ts'
import { defineConnector } from '../_kit/define.ts'

const Heading = Type.String({ minLength: 1, maxLength: 200 })
const Columns = Type.Object(Object.fromEntries(CSV_COLUMNS.map((column) => [column, Type.Optional(Heading)])), {
  ...closed,
  description: 'Heading of each column; date is needed, and gross or net',
})

const Settings = Type.Object(
  {
    settlement_files: Type.Object(
      {
        columns: Columns,
        kinds: Type.Optional(
          Type.Record(Heading, Words(SETTLEMENT_LINE_KINDS), {
            description: 'What each word of the type column means',
          }),
        ),
        payout_types: Type.Optional(
          Type.Array(Heading, { maxItems: 50, description: 'Words of the type column for the payout itself' }),
        ),
        fee_sign: Type.Optional(
          Type.Enum(['cost', 'signed'], { description: 'cost: a positive fee costs. signed: a negative one does' }),
        ),
        decimal: Type.Optional(Type.Enum(['.', ',', 'auto'], { description: 'Decimal mark' })),
        date_order: Type.Optional(Type.Enum(['iso', 'dmy', 'mdy'], { description: 'Order of day, month and year' })),
        zone: Type.Optional(Type.String({ minLength: 1, maxLength: 60, description: 'Zone of times that name none' })),
        currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$', description: 'Where no column tells it' })),
      },
      { ...closed, description: 'How its payout files are written' },
    ),
  },
  closed,
)

/** Payouts of any processor that writes delimited text, by a column map. */
export const csv = defineConnector({
  id: 'csv',
  label: 'CSV of payouts',
  kind: 'gateway',
  grade: 'fixtures',
  settings: Settings,
  inbound: {},
  settlements: { formats: [genericCsv] },
})
