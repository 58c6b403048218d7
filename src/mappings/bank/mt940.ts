import { HubError } from '../../core/errors.ts'
import type { BankFileRead, BankLine, BankStatement } from '../../core/model/bankStatement.ts'
import { parseAmount } from '../amounts.ts'
import { lineIds } from './lineIds.ts'

/**
 * SWIFT MT940: fields `:20:` (reference), `:25:` (account), `:28C:` (number), `:60F:`/`:60M:` (opening balance), `:61:` (movement), `:86:`
 * (its text), `:62F:`/`:62M:` (closing balance). A field goes on over the lines that begin with no field. `RC` takes a credit back, `RD`
 * a debit. Statements that are split over several messages keep the opening balance of each.
 */

interface Field {
  tag: string
  text: string
  row: number
}

const FIELD = /^:(\d{2}[A-Z]?):(.*)$/
const BALANCE = /^([CD])(\d{6})([A-Z]{3})(\d[\d,]*)$/
/** Value date, day of booking, direction, third letter of the currency, amount, type, and the references. */
const MOVEMENT =
  /^(\d{6})(\d{4})?(RC|RD|C|D)([A-Z])?(\d[\d,]*)([A-Z][A-Z0-9]{3})([^\n]*?)(?:\/\/([^\n]*))?(?:\n([\s\S]*))?$/
const SIGNS: Readonly<Record<string, 1 | -1>> = { C: 1, D: -1, RC: -1, RD: 1 }

export function readMt940(source: string): BankFileRead {
  const read: BankFileRead = { format: 'mt940', statements: [], faults: [], warnings: [] }
  const messages = messagesOf(fieldsOf(source))
  if (messages.length === 0) throw new HubError('file_invalid', 'this is no MT940: it has no field :20:')
  for (const message of messages) read.statements.push(statementOf(message, read))
  return read
}

/** Lines joined to fields. The blocks around a message (`{1:…}{4:` and `-}`) say nothing that is needed. */
function fieldsOf(source: string): Field[] {
  const fields: Field[] = []
  source.split(/\r\n|\n|\r/).forEach((raw, index) => {
    const line = raw.replace(/^\uFEFF/, '').replace(/^.*\{4:/, '')
    const [, tag, text] = FIELD.exec(line) ?? []
    if (tag !== undefined) fields.push({ tag, text: (text ?? '').trimEnd(), row: index + 1 })
    else if (/^-\}?/.test(line) && line.replace(/^-\}?/, '').trim() === '') return
    else if (line.trim() !== '' && !line.startsWith('{')) {
      const last = fields.at(-1)
      if (last !== undefined) last.text += `\n${line.trimEnd()}`
    }
  })
  return fields
}

function messagesOf(fields: readonly Field[]): Field[][] {
  const messages: Field[][] = []
  for (const field of fields) {
    if (field.tag === '20') messages.push([])
    messages.at(-1)?.push(field)
  }
  return messages
}

interface Balance {
  minor: number
  currency: string
  on: string
}

function statementOf(message: readonly Field[], read: BankFileRead): BankStatement {
  const field = (...tags: string[]): Field | undefined => message.find(({ tag }) => tags.includes(tag))
  const row = message[0]?.row ?? 1
  const account = field('25', '25P')?.text.split('\n')[0]?.trim() ?? ''
  const opening = field('60F', '60M')
  const closing = field('62F', '62M')
  if (account === '' || opening === undefined)
    throw new HubError('file_invalid', 'a statement lacks its account or its opening balance', { path: `row ${row}` })
  const begin = balanceOf(opening)
  const end = closing === undefined ? null : balanceOf(closing)
  if (end === null)
    read.faults.push({ row, column: ':62F:', message: 'the closing balance is missing: the file was cut off' })
  if (end !== null && end.currency !== begin.currency)
    read.faults.push({
      row: closing?.row ?? row,
      column: ':62F:',
      message: 'opening and closing balance are in two currencies',
    })
  const number = field('28C', '28')?.text.trim() ?? field('20')?.text.trim() ?? ''
  const to = end?.on ?? begin.on
  return {
    // Numbers begin anew each year.
    external_id: `${account}:${to.slice(0, 4)}:${number}:${to}`.slice(0, 200),
    account: account.slice(0, 200),
    currency: begin.currency,
    begin_minor: begin.minor,
    end_minor: end?.minor ?? null,
    from_at: `${begin.on}T00:00:00.000Z`,
    to_at: `${to}T00:00:00.000Z`,
    lines: linesOf(message, begin.currency, read),
  }
}

function balanceOf({ tag, text, row }: Field): Balance {
  const [, side, day = '', currency = '', amount = ''] = BALANCE.exec(text.trim()) ?? []
  if (side === undefined) throw new HubError('file_invalid', `:${tag}: is no balance`, { path: `row ${row}` })
  const minor = parseAmount(amount, currency, { decimal: ',', path: `row ${row}, :${tag}:` })
  return { minor: side === 'C' ? minor : 0 - minor, currency, on: dayOf(day, row) }
}

/** Years of two digits are of this century: MT940 is younger. */
function dayOf(text: string, row: number): string {
  const day = `20${text.slice(0, 2)}-${text.slice(2, 4)}-${text.slice(4, 6)}`
  const time = Date.parse(`${day}T00:00:00Z`)
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== day)
    throw new HubError('payload_invalid', `${text} is not a day`, { path: `row ${row}` })
  return day
}

function linesOf(message: readonly Field[], currency: string, read: BankFileRead): BankLine[] {
  const nameOf = lineIds()
  const lines: BankLine[] = []
  message.forEach((field, index) => {
    if (field.tag !== '61') return
    const next = message[index + 1]
    try {
      lines.push(lineOf(field, next?.tag === '86' ? next.text : '', currency, nameOf))
    } catch (thrown) {
      if (!(thrown instanceof HubError)) throw thrown
      read.faults.push({ row: field.row, column: ':61:', message: thrown.message })
    }
  })
  return lines
}

function lineOf({ text, row }: Field, about: string, currency: string, nameOf: ReturnType<typeof lineIds>): BankLine {
  const found = MOVEMENT.exec(text)
  if (found === null) throw new HubError('payload_invalid', 'is no movement', { path: `row ${row}` })
  const [, value, entry, side = '', letter, amount = '', , own = '', bank = '', more = ''] = found
  if (letter !== undefined && letter !== currency[2])
    throw new HubError('payload_invalid', `is in a currency that ends with ${letter}, the account is in ${currency}`)
  const minor = parseAmount(amount, currency, { decimal: ',', path: `row ${row}` })
  const value_on = dayOf(value ?? '', row)
  const reference = own.trim()
  const said = [more.trim(), joined(about)].filter((part) => part !== '')
  const line = {
    booked_on: entry === undefined ? value_on : nearest(value_on, entry, row),
    value_on,
    amount_minor: (SIGNS[side] ?? 1) * minor,
    reference: reference === '' || reference === 'NONREF' ? null : reference,
    text: said.join('\n').slice(0, 20_000) || null,
  }
  return { external_id: nameOf(line, bank.trim()), ...line }
}

/** The day of booking has no year: it is the one that lies nearest to the value date, also over New Year. */
function nearest(value_on: string, entry: string, row: number): string {
  const year = Number(value_on.slice(0, 4))
  const at = Date.parse(value_on)
  const days = [year - 1, year, year + 1].flatMap((candidate) => {
    try {
      return [dayOf(`${String(candidate).slice(2)}${entry}`, row)]
    } catch {
      return []
    }
  })
  const [best] = days.toSorted((a, b) => Math.abs(Date.parse(a) - at) - Math.abs(Date.parse(b) - at))
  if (best === undefined) throw new HubError('payload_invalid', `${entry} is not a day`, { path: `row ${row}` })
  return best
}

/** Lines of 65 characters are cut anywhere, also within a word; subfields (`?20`, `/EREF/`) stay as they are. */
const joined = (text: string): string =>
  text
    .split('\n')
    .reduce((whole, line) => whole + (whole === '' || isFull(whole) || line.startsWith('?') ? '' : ' ') + line, '')
    .trim()
const isFull = (text: string): boolean => text.length % 65 === 0
