import Type, { type Static } from 'typebox'
import { HubError } from '../../core/errors.ts'
import type { BankFileRead } from '../../core/model/bankStatement.ts'
import { readCamt053 } from '../../mappings/bank/camt053.ts'
import { BankCsvColumns, readBankCsv } from '../../mappings/bank/csv.ts'
import { readMt940 } from '../../mappings/bank/mt940.ts'
import { decodeText, readCsv } from '../_kit/csv.ts'
import { defineConnector } from '../_kit/define.ts'

const BankSettings = Type.Object(
  {
    account: Type.String({ minLength: 1, maxLength: 100, description: 'IBAN or number of the account, as its statements write it' }),
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    csv: Type.Optional(
      Type.Object(
        {
          columns: BankCsvColumns,
          delimiter: Type.Optional(Type.Union([Type.Literal(','), Type.Literal(';'), Type.Literal('\t'), Type.Literal('|')])),
          decimal: Type.Optional(Type.Union([Type.Literal('.'), Type.Literal(','), Type.Literal('auto')])),
          dates: Type.Optional(Type.Union([Type.Literal('iso'), Type.Literal('dmy'), Type.Literal('mdy')])),
        },
        { additionalProperties: false, description: 'How this bank writes CSV; CAMT.053 and MT940 need nothing' },
      ),
    ),
  },
  { additionalProperties: false },
) // prettier-ignore
export type BankSettings = Static<typeof BankSettings>

/** A bank account, known by its statements. */
export const bank = defineConnector({
  id: 'bank',
  label: 'Bank account (statements)',
  kind: 'bank',
  grade: 'fixtures',
  settings: BankSettings,
  inbound: {},
  statements: { read: readStatements },
})

function readStatements(bytes: Buffer, settings: BankSettings): BankFileRead {
  const text = decodeText(bytes)
  const head = text.slice(0, 4_000).replace(/^\uFEFF/, '').trimStart() // prettier-ignore
  if (head === '') throw new HubError('file_invalid', 'the file is empty')
  const read = readAny(text, head, settings)
  // A statement of another account would be matched against this one's payouts.
  for (const { account, currency } of read.statements) {
    if (plain(account) !== plain(settings.account) || currency !== settings.currency)
      throw new HubError('file_invalid', 'this is a statement of another account, or in another currency', {
        hint: 'name the connection of that account; the account is compared without blanks',
      })
  }
  return read
}

/** MT940 puts the bank's code before the number: `10010010/1234567890`. */
const plain = (account: string): string => account.replace(/\s/g, '').toUpperCase()

function readAny(text: string, head: string, settings: BankSettings): BankFileRead {
  if (head.startsWith('<')) return readCamt053(text)
  if (/^(?:\{1:|:20:)/.test(head) || /^:20:/m.test(head)) return readMt940(text)
  const { csv } = settings
  if (csv === undefined)
    throw new HubError('file_invalid', 'this is neither CAMT.053 nor MT940', {
      hint: 'if it is CSV, declare its columns under settings.csv of the connection',
    })
  const records = readCsv(text, csv.delimiter === undefined ? {} : { delimiter: csv.delimiter })
  return readBankCsv(records, {
    account: settings.account,
    currency: settings.currency,
    columns: csv.columns,
    decimal: csv.decimal ?? 'auto',
    dates: csv.dates ?? 'iso',
  })
}
