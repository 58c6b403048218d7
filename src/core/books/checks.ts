import type { Check } from '../checks.ts'
import { IS_ACTIVE } from './journals.ts'
import { ACCOUNT_OF, feeAccountOf, grossAccountOf, isCost } from './rulesJournal.ts'
import { SETTLEMENT_LINE_KINDS } from '../model/settlement.ts'

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** The chart of accounts as SQL, from the same table that the journals are made by. */
const chart = (accountOf: (kind: (typeof SETTLEMENT_LINE_KINDS)[number]) => string): string =>
  `case l.kind ${SETTLEMENT_LINE_KINDS.map((kind) => `when ${quoted(kind)} then ${quoted(accountOf(kind))}`).join(' ')} end`
const COSTS = SETTLEMENT_LINE_KINDS.filter(isCost).map(quoted).join(', ')
const GROSS_ACCOUNT = `case when l.fee_type is not null and l.kind in (${COSTS}) then 'fees:' || l.fee_type else ${chart((kind) => grossAccountOf(kind, null))} end`
const FEE_ACCOUNT = `case when l.fee_type is not null then 'fees:' || l.fee_type else ${chart((kind) => feeAccountOf(kind, null))} end`
/** Where the journal may hold more than its lines say: what the lines do not explain, and the payout itself. */
const OWN_ACCOUNTS = [ACCOUNT_OF.adjustment, ACCOUNT_OF.transfer, 'fx'].map(quoted).join(', ')

/** What the books must show of themselves. */
export const BOOKS: readonly Check[] = [
  {
    name: 'journals_balance',
    checked: 'select count(*) from journals',
    broken: `
      select format('journal %s: %s is off by %s', journal_id, currency, sum(amount_minor)) from journal_entries
      group by journal_id, currency having sum(amount_minor) <> 0
      union all
      select format('reversal %s of journal %s leaves %s %s on %s', j.id, j.reverses, d.minor, d.currency, d.account)
      from journals j cross join lateral (
        select e.account, e.currency, sum(e.amount_minor) as minor from journal_entries e
        where e.journal_id in (j.id, j.reverses) group by 1, 2 having sum(e.amount_minor) <> 0
      ) d where j.kind = 'reversal'`,
  },
  {
    // A payout that is held keeps the journal of the version before it; one that waits for the posting job has none.
    name: 'journals_equal_settlements',
    checked: `select count(*) from journals where kind = 'settlement'`,
    broken: `
      with active as materialized (
        select j.id, j.settlement_id, j.connection_id, j.version, j.clearing_minor, j.returned from journals j
        where j.kind = 'settlement' and ${IS_ACTIVE}
      ), present as materialized (
        select a.* from active a join settlements s on s.id = a.settlement_id and s.version = a.version
      ), said as (
        select settlement_id, account, currency, sum(minor) as minor from (
          select l.settlement_id, ${GROSS_ACCOUNT} as account, l.currency, -l.gross_minor as minor
          from settlement_lines l join present p on p.settlement_id = l.settlement_id
          union all
          select l.settlement_id, ${FEE_ACCOUNT}, l.currency, l.fee_minor
          from settlement_lines l join present p on p.settlement_id = l.settlement_id
        ) m group by 1, 2, 3 having sum(minor) <> 0
      ), booked as (
        select p.settlement_id, e.account, e.currency, e.amount_minor as minor
        from present p join journal_entries e on e.journal_id = p.id where e.account <> 'clearing:' || p.connection_id
      )
      select format('settlement %s: %s %s is booked as %s, its lines say %s', coalesce(b.settlement_id, l.settlement_id),
                    coalesce(b.account, l.account), coalesce(b.currency, l.currency), coalesce(b.minor, 0), coalesce(l.minor, 0))
      from booked b full join said l on l.settlement_id = b.settlement_id and l.account = b.account and l.currency = b.currency
      where coalesce(b.minor, 0) <> coalesce(l.minor, 0) and coalesce(b.account, l.account) not in (${OWN_ACCOUNTS})
      union all
      select format('settlement %s: journal %s brings %s to its clearing account, the payout is %s', s.id, p.id, p.clearing_minor,
                    s.payout_minor)
      from present p join settlements s on s.id = p.settlement_id
      where p.clearing_minor <> case when p.returned then 0 else s.payout_minor end
      union all
      select format('settlement %s is booked %s times', settlement_id, count(*)) from active group by settlement_id having count(*) > 1`,
  },
  {
    name: 'clearing_equals_unsettled',
    checked: 'select count(*) from journals',
    broken: `
      with stated as (
        select j.connection_id, j.currency, sum(
          case when j.kind = 'settlement' and j.version = s.version then case when j.returned then 0 else s.payout_minor end
               when j.kind = 'bank' and b.settlement_id = j.settlement_id and b.currency = j.currency then -b.amount_minor
               else j.clearing_minor end) as minor
        from journals j left join settlements s on s.id = j.settlement_id
        left join bank_lines b on b.id = j.bank_line_id
        where ${IS_ACTIVE} group by 1, 2
      ), booked as (
        select j.connection_id, e.currency, sum(e.amount_minor) as minor
        from journals j join journal_entries e on e.journal_id = j.id and e.account = 'clearing:' || j.connection_id group by 1, 2
      )
      select format('%s %s: the clearing account says %s, what is unsettled comes to %s', connection_id,
                    currency, coalesce(b.minor, 0), coalesce(t.minor, 0))
      from booked b full join stated t using (connection_id, currency) where coalesce(b.minor, 0) <> coalesce(t.minor, 0)`,
  },
]
