import { HubError } from '../../core/errors.ts'
import type { BankFileRead, BankLine, BankStatement } from '../../core/model/bankStatement.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import { lineIds } from './lineIds.ts'
import { all, at, parseXml, textAt, type XmlElement } from './xml.ts'

/**
 * ISO 20022 camt.053, any version: statements, their opening and closing booked balances and their booked entries. An entry is one line,
 * also where it stands for a batch, because the entry is what the balance moves by. `CdtDbtInd` is the direction in which the money went,
 * for a reversal too.
 */

export function readCamt053(source: string): BankFileRead {
  const statements = all(at(parseXml(source), 'BkToCstmrStmt'), 'Stmt')
  if (statements.length === 0)
    throw new HubError('file_invalid', 'this XML is no camt.053: it has no Document/BkToCstmrStmt/Stmt')
  const read: BankFileRead = { format: 'camt053', statements: [], faults: [], warnings: [] }
  for (const statement of statements) read.statements.push(statementOf(statement, read))
  return read
}

function statementOf(element: XmlElement, read: BankFileRead): BankStatement {
  const id = textAt(element, 'Id')
  const account = textAt(element, 'Acct', 'Id', 'IBAN') || textAt(element, 'Acct', 'Id', 'Othr', 'Id')
  const balances = all(element, 'Bal')
  const entries = all(element, 'Ntry')
  const currency =
    textAt(element, 'Acct', 'Ccy') ||
    [...balances, ...entries].map((item) => at(item, 'Amt')?.attributes['Ccy'])[0] ||
    ''
  if (id === '' || account === '' || !/^[A-Z]{3}$/.test(currency))
    throw new HubError('file_invalid', 'a statement lacks its id, its account or its currency', { path: 'Stmt' })
  const balance = (...codes: string[]): number | null => {
    const found = balances.find((item) => codes.includes(textAt(item, 'Tp', 'CdOrPrtry', 'Cd')))
    return found === undefined ? null : amountOf(found, currency, 'Bal')
  }
  const nameOf = lineIds()
  const lines: BankLine[] = []
  entries.forEach((entry, index) => {
    // Written as text in older versions and as a code inside in newer ones.
    const status = textAt(entry, 'Sts', 'Cd') || textAt(entry, 'Sts')
    if (status !== 'BOOK') {
      if (status !== 'PDNG' && status !== 'INFO')
        read.faults.push({ row: index + 1, column: 'Sts', message: `entry ${index + 1} has no status that is known` })
      return
    }
    try {
      lines.push(lineOf(entry, currency, nameOf))
    } catch (thrown) {
      if (!(thrown instanceof HubError)) throw thrown
      read.faults.push({
        row: index + 1,
        column: thrown.path ?? null,
        message: `entry ${index + 1}: ${thrown.message}`,
      })
    }
  })
  return {
    external_id: id.slice(0, 200),
    account: account.slice(0, 200),
    currency,
    begin_minor: balance('OPBD') ?? balance('PRCD'),
    end_minor: balance('CLBD'),
    from_at: instantAt(element, 'FrDtTm'),
    to_at: instantAt(element, 'ToDtTm'),
    lines,
  }
}

function amountOf(element: XmlElement, currency: string, path: string): number {
  const amount = at(element, 'Amt')
  const stated = amount?.attributes['Ccy']
  if (stated !== currency)
    throw new HubError('payload_invalid', `is in ${(stated ?? 'no currency').slice(0, 20)}, the account in ${currency}`, { path }) // prettier-ignore
  const minor = minorFromDecimal(amount?.text ?? '', currency, path)
  const side = textAt(element, 'CdtDbtInd')
  if (minor < 0 || (side !== 'CRDT' && side !== 'DBIT'))
    throw new HubError('payload_invalid', 'has a sign, or neither credit nor debit', { path })
  return side === 'CRDT' ? minor : 0 - minor
}

function lineOf(entry: XmlElement, currency: string, nameOf: ReturnType<typeof lineIds>): BankLine {
  const details = all(entry, 'NtryDtls').flatMap((batch) => all(batch, 'TxDtls'))
  const [only, ...others] = details
  const booked_on = dayAt(entry, 'BookgDt')
  if (booked_on === null) throw new HubError('payload_invalid', 'has no day of booking', { path: 'BookgDt' })
  const refs = others.length === 0 ? at(only, 'Refs') : undefined
  const end_to_end = textAt(refs, 'EndToEndId')
  const text = textOf(entry, details)
  const line = {
    booked_on,
    value_on: dayAt(entry, 'ValDt'),
    amount_minor: amountOf(entry, currency, 'Amt'),
    reference: (end_to_end === 'NOTPROVIDED' ? '' : end_to_end) || textAt(refs, 'TxId') || null,
    text,
  }
  return { external_id: nameOf(line, textAt(entry, 'AcctSvcrRef') || textAt(refs, 'AcctSvcrRef')), ...line }
}

/** Whatever is said about an entry and about the payments in it, each thing once. */
function textOf(entry: XmlElement, details: readonly XmlElement[]): string | null {
  const said = [
    textAt(entry, 'AddtlNtryInf'),
    textAt(entry, 'NtryRef'),
    ...details.flatMap((detail) => [
      ...all(at(detail, 'RmtInf'), 'Ustrd').map((item) => item.text.trim()),
      ...all(at(detail, 'RmtInf'), 'Strd').map((item) => textAt(item, 'CdtrRefInf', 'Ref')),
      textAt(detail, 'Refs', 'EndToEndId'),
      textAt(detail, 'Refs', 'PmtInfId'),
      textAt(detail, 'RltdPties', 'Dbtr', 'Nm') || textAt(detail, 'RltdPties', 'Dbtr', 'Pty', 'Nm'),
      textAt(detail, 'RltdPties', 'Cdtr', 'Nm') || textAt(detail, 'RltdPties', 'Cdtr', 'Pty', 'Nm'),
      textAt(detail, 'AddtlTxInf'),
    ]),
  ].filter((text) => text !== '' && text !== 'NOTPROVIDED')
  return [...new Set(said)].join('\n').slice(0, 20_000) || null
}

/** A date, or the day of an instant as the bank writes it. */
function dayAt(element: XmlElement, name: string): string | null {
  const text = textAt(element, name, 'Dt') || textAt(element, name, 'DtTm')
  const day = text.slice(0, 10)
  if (text === '') return null
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) throw new HubError('payload_invalid', 'is not a day', { path: name })
  return day
}

function instantAt(statement: XmlElement, name: string): string | null {
  const text = textAt(statement, 'FrToDt', name)
  if (text === '') return null
  const ms = Date.parse(/(?:Z|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}Z`)
  return Number.isNaN(ms) ? null : new Date(ms).toISOString()
}
