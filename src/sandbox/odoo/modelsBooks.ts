import { userError, validationError } from './faults.ts'
import {
  accountBy,
  bookInvoice,
  isInvoice,
  itemAmounts,
  itemsOf,
  moveAmounts,
  owedOf,
  paymentState,
  postMoves,
  reconcile,
  residualOf,
} from './invoices.ts'
import { action, f, type Models } from './model.ts'
import { follow, linesOf, type Env } from './orm.ts'
import { cents, idsOf, numberOf, refOf, textOf, type Row, type Value } from './values.ts'

/** Accounts, journals, entries and bank statements. */

const today = (env: Env): string => env.now().toISOString().slice(0, 10)
const journalBy = (env: Env, type: string): number =>
  env.store.all('account.journal').find((journal) => textOf(journal, 'type') === type)?.id ?? 0

const side = (sign: 1 | -1) =>
  f.money({
    compute: (_, row) => Math.max(0, sign * numberOf(row, 'balance')),
    assign: (env, row, value) => {
      if (Number(value) !== 0)
        env.store.put('account.move.line', {
          ...env.need('account.move.line', row.id),
          balance: cents(sign * Number(value)),
        })
    },
  })

const bankItems = (env: Env, line: Row): Row[] => itemsOf(env, refOf(line, 'move_id'))
const suspense = (env: Env, line: Row): Row | undefined => {
  const journal = env.need('account.journal', refOf(line, 'journal_id'))
  return bankItems(env, line).find((item) => refOf(item, 'account_id') === refOf(journal, 'suspense_account_id'))
}

export const BOOKS: Models = {
  'account.tax': {
    fields: {
      name: f.char(),
      amount: f.float(),
      amount_type: f.choice({ default: 'percent' }),
      price_include: f.flag(),
      type_tax_use: f.choice({ default: 'sale' }),
      sequence: f.integer({ default: 1 }),
      company_id: f.one('res.company', { default: 1 }),
      active: f.flag({ default: true }),
    },
    order: 'sequence, id',
  },
  'account.account': {
    fields: {
      code: f.char(),
      name: f.char(),
      account_type: f.choice(),
      reconcile: f.flag(),
      company_ids: f.many('res.company', { default: [1] }),
      active: f.flag({ default: true }),
    },
    display: (_, row) => `${textOf(row, 'code')} ${textOf(row, 'name')}`,
  },
  'account.journal': {
    fields: {
      name: f.char(),
      code: f.char(),
      type: f.choice(),
      currency_id: f.one('res.currency'),
      company_id: f.one('res.company', { default: 1 }),
      default_account_id: f.one('account.account', { default: (env, values) => (values['type'] === 'bank' ? accountBy(env, 'asset_cash') || false : false) }), // prettier-ignore
      suspense_account_id: f.one('account.account', { default: (env, values) => (values['type'] === 'bank' ? accountBy(env, 'asset_current') || false : false) }), // prettier-ignore
      active: f.flag({ default: true }),
    },
  },
  'account.move': {
    fields: {
      name: f.char(),
      state: f.choice({ default: 'draft' }),
      move_type: f.choice({ default: 'entry' }),
      date: f.date({ default: (env, values) => values['invoice_date'] ?? today(env) }),
      invoice_date: f.date(),
      ref: f.char(),
      invoice_origin: f.char(),
      payment_reference: f.char(),
      journal_id: f.one('account.journal', { default: (env, values) => journalBy(env, values['move_type'] === undefined || values['move_type'] === 'entry' ? 'general' : 'sale') }), // prettier-ignore
      company_id: f.one('res.company', { default: 1 }),
      currency_id: f.one('res.currency', { default: (env) => refOf(env.need('res.company', 1), 'currency_id') }),
      partner_id: f.one('res.partner'),
      reversed_entry_id: f.one('account.move'),
      statement_line_id: f.one('account.bank.statement.line'),
      line_ids: f.lines('account.move.line', 'move_id'),
      invoice_line_ids: f.lines('account.move.line', 'move_id', {
        compute: (env, row) => itemsOf(env, row.id).filter((item) => textOf(item, 'display_type') === 'product').map(({ id }) => id), // prettier-ignore
      }),
      amount_untaxed: f.money({ compute: (env, row) => moveAmounts(env, row).net }),
      amount_tax: f.money({ compute: (env, row) => moveAmounts(env, row).tax }),
      amount_total: f.money({ compute: (env, row) => moveAmounts(env, row).total }),
      amount_residual: f.money({ compute: (env, row) => owedOf(env, row) }),
      payment_state: f.choice({ compute: (env, row) => paymentState(env, row) }),
    },
    created: checkMove,
    written: (env, row, _, values) => {
      if ('line_ids' in values || 'invoice_line_ids' in values) checkMove(env, row)
      if ('invoice_date' in values && isInvoice(row))
        env.store.put('account.move', { ...row, date: values['invoice_date'] ?? false })
    },
    methods: {
      action_post: action(postMoves),
      button_draft: action((env, ids) => setState(env, ids, 'draft')),
      button_cancel: action((env, ids) => setState(env, ids, 'cancel')),
    },
    display: (_, row) =>
      `${textOf(row, 'name') || 'Draft Entry'}${textOf(row, 'ref') === '' ? '' : ` (${textOf(row, 'ref')})`}`,
    order: 'id desc',
  },
  'account.move.line': {
    fields: {
      move_id: f.one('account.move', { required: true }),
      account_id: f.one('account.account'),
      partner_id: f.one('res.partner'),
      product_id: f.one('product.product'),
      name: f.char(),
      display_type: f.choice({ default: 'product' }),
      quantity: f.float({ default: 1 }),
      price_unit: f.float(),
      discount: f.float(),
      tax_ids: f.many('account.tax', {
        default: (env, values) => {
          const product = env.row('product.product', refOf(values, 'product_id'))
          return product === undefined ? [] : env.valueOf('product.product', product, 'taxes_id')
        },
      }),
      sale_line_id: f.one('sale.order.line'),
      balance: f.money(),
      debit: side(1),
      credit: side(-1),
      currency_id: f.one('res.currency', { default: (env) => refOf(env.need('res.company', 1), 'currency_id') }),
      amount_currency: f.money({
        compute: (_, row) => numberOf(row, 'balance'),
        assign: (env, row, value) =>
          env.store.put('account.move.line', { ...env.need('account.move.line', row.id), balance: Number(value) }),
      }),
      price_subtotal: f.money({ compute: (env, row) => itemAmounts(env, row).net }),
      matched: f.money(),
      matching_number: f.char(),
      amount_residual: f.money({ compute: (env, row) => residualOf(env, row) }),
      reconciled: f.flag({ compute: (env, row) => numberOf(row, 'matched') !== 0 && residualOf(env, row) === 0 }),
      full_reconcile_id: f.char({ compute: (_, row) => (textOf(row, 'matching_number').startsWith('P') ? false : textOf(row, 'matching_number') || false) }), // prettier-ignore
      statement_line_id: f.one('account.bank.statement.line', {
        compute: (env, row) =>
          refOf(follow(env, row, 'move_id', 'account.move') ?? { id: 0 }, 'statement_line_id') || false,
      }),
      parent_state: f.choice({
        compute: (env, row) => textOf(follow(env, row, 'move_id', 'account.move') ?? { id: 0 }, 'state'),
      }),
    },
    methods: { reconcile: action(reconcile) },
  },
  'account.move.reversal': {
    fields: {
      move_ids: f.many('account.move'),
      journal_id: f.one('account.journal'),
      reason: f.char(),
      date: f.date(),
    },
    methods: {
      reverse_moves: action((env, ids) => reverse(env, ids)),
      refund_moves: action((env, ids) => reverse(env, ids)),
    },
  },
  'account.bank.statement': {
    fields: {
      name: f.char(),
      reference: f.char(),
      balance_start: f.money(),
      balance_end_real: f.money(),
      balance_end: f.money({ compute: (env, row) => endOf(env, row) }),
      is_complete: f.flag({ compute: (env, row) => endOf(env, row) === numberOf(row, 'balance_end_real') }),
      is_valid: f.flag({ compute: () => true }),
      line_ids: f.lines('account.bank.statement.line', 'statement_id'),
      date: f.date({ compute: (env, row) => statementLines(env, row).map((line) => textOf(line, 'date')).toSorted().at(-1) ?? false }), // prettier-ignore
      journal_id: f.one('account.journal', {
        compute: (env, row) => refOf(statementLines(env, row)[0] ?? { id: 0 }, 'journal_id') || false,
      }),
    },
  },
  'account.bank.statement.line': {
    fields: {
      statement_id: f.one('account.bank.statement'),
      journal_id: f.one('account.journal', { required: true }),
      date: f.date({ default: today }),
      payment_ref: f.char(),
      ref: f.char(),
      partner_id: f.one('res.partner'),
      amount: f.money(),
      transaction_details: f.json(),
      move_id: f.one('account.move'),
      state: f.choice({ compute: () => 'posted' }),
      is_reconciled: f.flag({ compute: (env, row) => suspense(env, row) === undefined }),
      amount_residual: f.money({ compute: (env, row) => numberOf(suspense(env, row) ?? { id: 0 }, 'balance') }),
      running_balance: f.money({ compute: (env, row) => runningBalance(env, row) }),
    },
    created: bookStatementLine,
  },
}

const setState = (env: Env, ids: readonly number[], state: string): true => {
  for (const id of ids) env.store.put('account.move', { ...env.need('account.move', id), state })
  return true
}

/** An invoice is completed by what follows from its lines; anything else has to balance as it is. */
function checkMove(env: Env, move: Row): void {
  if (isInvoice(move)) return bookInvoice(env, move)
  const sum = cents(itemsOf(env, move.id).reduce((total, item) => total + numberOf(item, 'balance'), 0))
  if (sum !== 0) throw userError('The entry is not balanced.')
  if (itemsOf(env, move.id).some((item) => refOf(item, 'account_id') === 0))
    throw validationError('The operation cannot be completed: missing required account on accountable line.')
}

const MIRRORED = ['account_id', 'product_id', 'name', 'quantity', 'price_unit', 'discount', 'sale_line_id'] as const

/** Entries are taken back at once; of invoices a credit note is drafted. */
function reverse(env: Env, ids: readonly number[]): Value {
  const [wizard] = ids.map((id) => env.need('account.move.reversal', id))
  const made = idsOf(wizard ?? { id: 0 }, 'move_ids').map((id) => {
    const move = env.need('account.move', id)
    const items = itemsOf(env, id).filter((item) => !isInvoice(move) || textOf(item, 'display_type') === 'product')
    const lines = items.map((item): Value => {
      const same = Object.fromEntries(MIRRORED.map((name) => [name, item[name] ?? false]))
      return [
        0,
        0,
        isInvoice(move)
          ? { ...same, tax_ids: [[6, 0, idsOf(item, 'tax_ids')]] }
          : { ...same, balance: -numberOf(item, 'balance') },
      ]
    })
    const head = {
      journal_id: refOf(move, 'journal_id'),
      partner_id: refOf(move, 'partner_id') || false,
      reversed_entry_id: id,
    }
    const ref = `Reversal of: ${textOf(move, 'name')}${wizard?.['reason'] ? `, ${textOf(wizard, 'reason')}` : ''}`
    if (isInvoice(move))
      return env.create('account.move', { ...head, ref, move_type: 'out_refund', invoice_line_ids: lines })
    const reversal = env.create('account.move', { ...head, ref, move_type: 'entry', line_ids: lines })
    postMoves(env, [reversal])
    return reversal
  })
  return { name: 'Reverse Moves', type: 'ir.actions.act_window', res_model: 'account.move', view_mode: 'form', res_id: made[0] ?? false, context: { default_move_type: 'out_refund' } } // prettier-ignore
}

const statementLines = (env: Env, statement: Row): Row[] =>
  linesOf(env, 'account.bank.statement.line', 'statement_id', statement.id)
const endOf = (env: Env, statement: Row): number =>
  cents(
    statementLines(env, statement).reduce(
      (sum, line) => sum + numberOf(line, 'amount'),
      numberOf(statement, 'balance_start'),
    ),
  )
const runningBalance = (env: Env, line: Row): number =>
  cents(linesOf(env, 'account.bank.statement.line', 'journal_id', refOf(line, 'journal_id')).filter(({ id }) => id <= line.id).reduce((sum, one) => sum + numberOf(one, 'amount'), 0)) // prettier-ignore

/** A line of a statement is booked as it is made: the bank against suspense, until somebody says what it was. */
function bookStatementLine(env: Env, line: Row): void {
  const journal = env.need('account.journal', refOf(line, 'journal_id'))
  const amount = numberOf(line, 'amount')
  const move = env.create('account.move', {
    journal_id: journal.id,
    date: textOf(line, 'date'),
    ref: textOf(line, 'ref') || false,
    statement_line_id: line.id,
    line_ids: [
      [0, 0, { account_id: refOf(journal, 'default_account_id'), name: textOf(line, 'payment_ref'), balance: amount }],
      [
        0,
        0,
        { account_id: refOf(journal, 'suspense_account_id'), name: textOf(line, 'payment_ref'), balance: -amount },
      ],
    ],
  })
  env.store.put('account.bank.statement.line', { ...env.need('account.bank.statement.line', line.id), move_id: move })
  postMoves(env, [move])
}
