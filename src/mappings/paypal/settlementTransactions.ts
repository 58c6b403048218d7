import { HubError } from '../../core/errors.ts'
import { faultOfRow, type SettlementFormat, type SettlementReader, type SettlementSink } from '../settlement.ts'
import { beginOf, inOrder, netOf, readPages, shownOf, type Page, type Shown } from './searchedRows.ts'
import { linkConversions, tellPeriod } from './settlementWindows.ts'

/**
 * Pages of the transaction search (`fields=all`, balance-affecting records only), one answer or a list of answers that follow each other.
 * The account's running balance is the proof: balance before + amount + fee = `ending_balance`, row after row and currency by currency.
 */

export const paypalTransactions: SettlementFormat = {
  id: 'paypal_transactions',
  label: 'PayPal transaction search (JSON)',
  content: 'document',
  delimiter: null,
  accepts: (head) => /^\uFEFF?\s*[[{]/.test(head) && head.includes('"transaction_details"'),
  open: (sink): SettlementReader => {
    const pages: Page[] = []
    return {
      row: (cells) => {
        pages.push(...readPages(listOf(cells.join(''))))
      },
      end: () => tellPages(sink, pages),
    }
  },
}

function listOf(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    return Array.isArray(value) ? value : [value]
  } catch (thrown) {
    throw new HubError('file_invalid', 'the document is not whole JSON: it may have been cut off', { cause: thrown })
  }
}

function tellPages(sink: SettlementSink, pages: readonly Page[]): void {
  checkPaging(sink, pages)
  const infos = pages.flatMap((page) => page.transaction_details)
  const shown: Shown[] = []
  infos.forEach(({ transaction_info }, index) =>
    faultOfRow(sink, index + 1, () => shown.push(...shownOf(transaction_info, index + 1))),
  )
  const entries = linkConversions(shown.map(({ entry }) => entry))
  const linked = shown.map(({ ending_minor }, index) => ({ ending_minor, entry: entries[index] })) as Shown[]
  for (const [currency, rows] of Map.groupBy(linked, ({ entry }) => entry.currency)) {
    const ordered = inOrder(rows)
    const begin_minor = beginOf(ordered)
    const end_minor = ordered.at(-1)?.ending_minor
    if (begin_minor === null || end_minor === null || end_minor === undefined) {
      const message = `the rows in ${currency} show no balances: leave out every filter but the dates`
      sink.fault({ row: ordered[0]?.entry.row ?? 1, column: 'ending_balance', message })
    }
    checkChain(sink, ordered, begin_minor)
    const sum = ordered.reduce((total, { entry }) => total + netOf(entry), 0)
    const from = ordered[0]?.entry.at ?? ''
    const to = ordered.at(-1)?.entry.at ?? from
    tellPeriod(sink, {
      id: `${accountOf(pages)}:${from.slice(0, 10)}:${to.slice(0, 10)}`,
      currency,
      begin_minor: begin_minor ?? 0,
      end_minor: end_minor ?? sum,
      from,
      to,
      entries: ordered.map(({ entry }) => entry),
    })
  }
}

const accountOf = (pages: readonly Page[]): string => pages.find((page) => page.account_number)?.account_number ?? 'account' // prettier-ignore

/** All pages of a window have to be there: a page that is missing may leave a chain of balances that looks whole. */
function checkPaging(sink: SettlementSink, pages: readonly Page[]): void {
  for (const [window, group] of Map.groupBy(pages, (page) => `${page.start_date ?? ''} to ${page.end_date ?? ''}`)) {
    const stated = group.find((page) => typeof page.total_items === 'number')?.total_items
    const found = group.reduce((total, page) => total + page.transaction_details.length, 0)
    if (typeof stated === 'number' && stated !== found)
      sink.fault({
        row: 1,
        column: 'total_items',
        message: `the window ${window} has ${stated} rows, ${found} are here`,
      })
  }
}

function checkChain(sink: SettlementSink, ordered: readonly Shown[], begin: number | null): void {
  let balance = begin
  for (const { entry, ending_minor } of ordered) {
    if (balance !== null && ending_minor !== null && balance + netOf(entry) !== ending_minor) {
      const gap = ending_minor - balance - netOf(entry)
      const message = `the balance moves by ${gap} more than this row says (${entry.currency}, minor units)`
      sink.fault({ row: entry.row, column: 'ending_balance', message })
    }
    balance = ending_minor ?? (balance === null ? null : balance + netOf(entry))
  }
}
