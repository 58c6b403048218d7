import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import type { ErpRequest } from '../../core/model/effects.ts'
import { amountText, minorOf } from './amounts.ts'
import type { Odoo } from './client.ts'
import { currencyId } from './credits.ts'
import { externalId, findOurs, load, readByIds, readOne, rows, search, type Cells } from './records.ts'
import { converge } from './steps.ts'
import { idOf, Ids, Maybe, Ref, Text, textOf } from './values.ts'

type JournalRequest = Extract<ErpRequest, { kind: 'journal' }>
type StatementRequest = Extract<ErpRequest, { kind: 'bank_statement' }>

const JOURNAL = rows('account.journal', { code: Type.String(), type: Type.String(), currency_id: Ref })
const ACCOUNT = rows('account.account', { code: Text })
const ENTRY = rows('account.move', { name: Text, state: Type.String(), ref: Text, line_ids: Ids })
const ITEM = rows('account.move.line', { account_id: Ref, balance: Type.Number(), amount_currency: Type.Number() })
const STATEMENT = rows('account.bank.statement', {
  name: Text,
  balance_end: Type.Number(),
  balance_end_real: Type.Number(),
  is_complete: Maybe,
  state: Maybe,
  line_ids: Ids,
})

// ── accounts and journals ─────────────────────────────────────────────────────────────────────────────────────────────────

/** Pure: the account there that stands for one of ours. An exact name goes before a beginning, a longer beginning before a shorter one. */
export function accountCode(table: Readonly<Record<string, string>>, account: string): string | undefined {
  if (Object.hasOwn(table, account)) return table[account]
  const beginnings = Object.keys(table)
    .filter((name) => name.endsWith('*') && account.startsWith(name.slice(0, -1)))
    .toSorted((a, b) => b.length - a.length)
  return beginnings[0] === undefined ? undefined : table[beginnings[0]]
}

export async function accountIds(odoo: Odoo, codes: readonly string[]): Promise<Map<string, number>> {
  const company = await odoo.company()
  const { company_ids = 'company_ids' } = await odoo.names('account.account', ['company_ids'])
  const found = await search(odoo, ACCOUNT, [
    ['code', 'in', codes],
    [company_ids ?? 'company_ids', 'in', [company.id]],
  ])
  return new Map(found.map(({ id, code }) => [textOf(code) ?? '', id]))
}

export async function journalId(odoo: Odoo, code: string): Promise<number> {
  const company = await odoo.company()
  const domain = [['code', '=', code], ['company_id', '=', company.id]] // prettier-ignore
  const [journal] = await search(odoo, JOURNAL, domain, { limit: 1 })
  if (journal === undefined) throw new HubError('config_invalid', `Odoo has no journal ${code}`)
  return journal.id
}

/** The bank journal of a currency. Journals without a currency are in the company's. */
export async function bankJournalId(odoo: Odoo, currency: string): Promise<number> {
  const code = odoo.settings.bank_journals?.[currency]
  if (code !== undefined) return await journalId(odoo, code)
  const company = await odoo.company()
  const domain = [['type', '=', 'bank'], ['company_id', '=', company.id]] // prettier-ignore
  const journals = (await search(odoo, JOURNAL, domain, { order: 'id' })).filter(
    ({ currency_id }) => (currency_id === false ? company.currency : currency_id[1]) === currency,
  )
  const [journal, another] = journals
  if (journal === undefined || another !== undefined)
    throw new HubError(
      'config_invalid',
      `Odoo has ${journals.length === 0 ? 'no bank journal' : 'several bank journals'} in ${currency}`,
      {
        hint: `name one in the settings under bank_journals.${currency}`,
      },
    )
  return journal.id
}

// ── journal entries ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const SETTLEMENT_JOURNAL = 'MISC'

/** One entry by account, posted. An entry of that name with other figures is told and never written over. */
export async function sendJournal(odoo: Odoo, request: JournalRequest): Promise<string | null> {
  const lines = await accountLines(odoo, request)
  let entry = 0
  await converge([
    {
      name: 'journal entry',
      done: async () => (entry = (await findOurs(odoo, 'account.move', request.key)) ?? 0) !== 0,
      act: () => createEntry(odoo, request, lines),
    },
    {
      name: 'figures of the journal entry',
      done: () => hasFigures(odoo, entry, lines, request.currency),
      act: () => {
        throw new HubError('vendor_conflict', `journal ${request.reference} stands in Odoo with other figures`, {
          hint: 'reverse it there; a correction comes as a journal of its own',
        })
      },
    },
    {
      name: 'posted journal entry',
      done: async () => (await readOne(odoo, ENTRY, entry)).state === 'posted',
      act: () => odoo.tell('account.move', 'action_post', { ids: [entry] }),
    },
  ])
  return textOf((await readOne(odoo, ENTRY, entry)).name)
}

interface AccountLine {
  account: number
  balance_minor: number
  text: string
}

async function accountLines(odoo: Odoo, { lines, reference }: JournalRequest): Promise<AccountLine[]> {
  const table = odoo.settings.accounts ?? {}
  const codes = lines.map(({ account }) => {
    const code = accountCode(table, account)
    if (code === undefined)
      throw new HubError('config_invalid', `journal ${reference}: nothing says which account of Odoo is "${account}"`, {
        hint: 'name it in the settings under accounts',
      })
    return code
  })
  const ids = await accountIds(odoo, [...new Set(codes)])
  return lines.map(({ debit_minor, credit_minor, text }, index) => {
    const code = codes[index] ?? ''
    const account = ids.get(code)
    if (account === undefined) throw new HubError('config_invalid', `Odoo has no account ${code}`)
    return { account, balance_minor: debit_minor - credit_minor, text }
  })
}

async function createEntry(odoo: Odoo, request: JournalRequest, lines: readonly AccountLine[]): Promise<void> {
  const { key, reference, at, currency } = request
  if (lines.reduce((sum, { balance_minor }) => sum + balance_minor, 0) !== 0)
    throw new HubError('control_total_mismatch', `journal ${reference} does not balance`)
  const journal = await journalId(odoo, odoo.settings.settlement_journal ?? SETTLEMENT_JOURNAL)
  const byHand = [['ref', '=', reference], ['journal_id', '=', journal], ['state', '!=', 'cancel']] // prettier-ignore
  const [known] = await search(odoo, ENTRY, byHand, { limit: 1 })
  if (known !== undefined)
    throw new HubError('vendor_conflict', `an entry ${reference} that is not ours stands in Odoo's journal already`)
  const foreign = currency === (await odoo.company()).currency ? null : await currencyId(odoo, currency)
  const cells = lines.map(({ account, balance_minor, text }, index): Cells => ({
    'line_ids/id': externalId(odoo, `${key}:line:${index}`),
    'line_ids/account_id/.id': String(account),
    'line_ids/name': text,
    ...(foreign === null
      ? {
          'line_ids/debit': amountText(Math.max(0, balance_minor), currency),
          'line_ids/credit': amountText(Math.max(0, -balance_minor), currency),
        }
      : {
          'line_ids/currency_id/.id': String(foreign),
          'line_ids/amount_currency': amountText(balance_minor, currency),
        }),
  }))
  const head = {
    id: externalId(odoo, key),
    move_type: 'entry',
    'journal_id/.id': String(journal),
    date: at.slice(0, 10),
    ref: reference,
  }
  await load(odoo, 'account.move', head, cells)
}

async function hasFigures(
  odoo: Odoo,
  entry: number,
  lines: readonly AccountLine[],
  currency: string,
): Promise<boolean> {
  const { line_ids } = await readOne(odoo, ENTRY, entry)
  const own = currency === (await odoo.company()).currency
  const items = (await readByIds(odoo, ITEM, line_ids)).map(({ account_id, balance, amount_currency }) => ({
    account: idOf(account_id) ?? 0,
    balance_minor: minorOf(own ? balance : amount_currency, currency, 'balance'),
  }))
  return figuresOf(items) === figuresOf(lines)
}

const figuresOf = (lines: readonly Pick<AccountLine, 'account' | 'balance_minor'>[]): string =>
  lines
    .map(({ account, balance_minor }) => `${account} ${balance_minor}`)
    .toSorted()
    .join('\n')

// ── bank statements ───────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * One statement a payout, whose beginning and lines come to its end: Odoo proves the identity a second time. Its lines wait on the
 * suspense account until somebody reconciles them there.
 */
export async function sendStatement(odoo: Odoo, request: StatementRequest): Promise<string | null> {
  const { key, reference, currency, begin_minor, end_minor, lines } = request
  if (lines.reduce((sum, line) => sum + line.amount_minor, begin_minor) !== end_minor)
    throw new HubError('control_total_mismatch', `statement ${reference} does not come to its end balance`)
  let statement = 0
  await converge([
    {
      name: 'bank statement',
      done: async () => (statement = (await findOurs(odoo, 'account.bank.statement', key)) ?? 0) !== 0,
      act: () => createStatement(odoo, request),
    },
    {
      name: 'figures of the bank statement',
      done: async () => {
        const found = await readOne(odoo, STATEMENT, statement)
        return (
          found.line_ids.length === lines.length &&
          minorOf(found.balance_end, currency, 'balance_end') === end_minor &&
          found.is_complete !== false
        )
      },
      act: () => {
        throw new HubError('vendor_conflict', `statement ${reference} stands in Odoo with other figures`)
      },
    },
    {
      // Until 15 a statement had a state of its own; since then its lines are posted as they are made.
      name: 'posted bank statement',
      done: async () =>
        ![undefined, 'open'].includes((await readOne(odoo, STATEMENT, statement)).state as string | undefined) ||
        odoo.version >= 16,
      act: () => odoo.tell('account.bank.statement', 'button_post', { ids: [statement] }),
    },
  ])
  return textOf((await readOne(odoo, STATEMENT, statement)).name)
}

async function createStatement(odoo: Odoo, request: StatementRequest): Promise<void> {
  const { key, reference, at, currency, begin_minor, end_minor, lines } = request
  const journal = String(await bankJournalId(odoo, currency))
  const head: Cells = {
    id: externalId(odoo, key),
    name: reference,
    reference,
    balance_start: amountText(begin_minor, currency),
    balance_end_real: amountText(end_minor, currency),
    ...(odoo.version < 16 ? { 'journal_id/.id': journal, date: at.slice(0, 10) } : {}),
  }
  const cells = lines.map((line, index): Cells => ({
    'line_ids/id': externalId(odoo, `${key}:line:${index}`),
    ...(odoo.version < 16 ? {} : { 'line_ids/journal_id/.id': journal }),
    'line_ids/date': line.at.slice(0, 10),
    'line_ids/payment_ref': line.text === '' ? reference : line.text,
    'line_ids/ref': line.external_id,
    'line_ids/amount': amountText(line.amount_minor, currency),
  }))
  await load(odoo, 'account.bank.statement', head, cells)
}
