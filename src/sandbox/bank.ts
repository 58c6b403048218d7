import { decimalFromMinor } from '../core/model/money.ts'
import type { ToldBankLine } from './plants.ts'

export interface BankStatementOptions {
  id: string
  iban: string
  currency: string
  begin_minor: number
  /** Days as `2026-11-21`. */
  from: string
  to: string
  booked_on: string
}

/** What a bank would send of these movements: one CAMT.053 statement (ISO 20022) that adds up. */
export function bankStatement(lines: readonly ToldBankLine[], options: BankStatementOptions): string {
  const { id, iban, currency, begin_minor, from, to, booked_on } = options
  const end_minor = lines.reduce((sum, { amount_minor }) => sum + amount_minor, begin_minor)
  const amount = (minor: number): string =>
    `<Amt Ccy="${currency}">${decimalFromMinor(Math.abs(minor), currency)}</Amt><CdtDbtInd>${minor < 0 ? 'DBIT' : 'CRDT'}</CdtDbtInd>`
  const balance = (code: string, minor: number, day: string): string =>
    `<Bal><Tp><CdOrPrtry><Cd>${code}</Cd></CdOrPrtry></Tp>${amount(minor)}<Dt><Dt>${day}</Dt></Dt></Bal>`
  const entries = lines.map(
    ({ reference, amount_minor }, index) =>
      `<Ntry><NtryRef>${index + 1}</NtryRef>${amount(amount_minor)}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>${booked_on}</Dt></BookgDt>` +
      `<ValDt><Dt>${booked_on}</Dt></ValDt><AcctSvcrRef>${id}-${index + 1}</AcctSvcrRef><NtryDtls><TxDtls>` +
      `<Refs><EndToEndId>${reference}</EndToEndId></Refs><RmtInf><Ustrd>PAYOUT ${reference}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>`,
  )
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>',
    `<GrpHdr><MsgId>${id}</MsgId><CreDtTm>${to}T06:00:00Z</CreDtTm></GrpHdr>`,
    `<Stmt><Id>${id}</Id><CreDtTm>${to}T06:00:00Z</CreDtTm><FrToDt><FrDtTm>${from}T00:00:00Z</FrDtTm><ToDtTm>${to}T23:59:59Z</ToDtTm></FrToDt>`,
    `<Acct><Id><IBAN>${iban}</IBAN></Id><Ccy>${currency}</Ccy></Acct>`,
    balance('OPBD', begin_minor, from),
    balance('CLBD', end_minor, to),
    ...entries,
    '</Stmt></BkToCstmrStmt></Document>',
    '',
  ].join('\n')
}
