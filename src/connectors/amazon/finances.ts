import { HubError } from '../../core/errors.ts'
import { exactJson, isObject, objectsUnder, textOf } from '../../mappings/settlement.ts'
import type { Port, Report, ReportPage, ReportRequest } from '../_kit/define.ts'
import type { Settings } from './settings.ts'

const GROUPS = '/finances/v0/financialEventGroups'
const TRANSACTIONS = '/finances/2024-06-19/transactions'
const FIRST_REACH_MS = 90 * 86_400_000
/** A group is found by when it began, and Amazon closes it about two weeks later; what it pays may take days more. */
const REACH_MS = 45 * 86_400_000
/** Both lists end two minutes before now. */
const LAG_MS = 3 * 60_000
const PAGES_MAX = 1_000
const PREFIX = 'group:'

/**
 * Payouts from the Finances API: the event groups of v0 say what was paid, the transactions of 2024-06-19 with a group's id make up its
 * lines. Kept as one document for each payout, in which every number keeps the digits that Amazon wrote.
 */
export async function* payoutGroups(port: Port<Settings>, request: ReportRequest): AsyncGenerator<ReportPage> {
  const { cursor, now } = request
  const from = cursor === null ? now.getTime() - FIRST_REACH_MS : Date.parse(cursor) - REACH_MS
  const groups = (await eventGroups(port, new Date(from), new Date(now.getTime() - LAG_MS))).filter(isPaid)
  yield { reports: groups.map((group) => reportOf(port, group)), cursor: now.toISOString() }
}

type Group = Record<string, unknown>

const referenceOf = (group: Group): string => `${PREFIX}${textOf(group['FinancialEventGroupId'])}`.slice(0, 200)

/** An open group grows, and one without an amount has paid nothing. */
const isPaid = (group: Group): boolean =>
  textOf(group['ProcessingStatus']) === 'Closed' &&
  textOf(group['FinancialEventGroupId']) !== '' &&
  isObject(group['OriginalTotal'])

async function eventGroups(port: Port<Settings>, after: Date, before: Date): Promise<Group[]> {
  const first = {
    MaxResultsPerPage: 100,
    FinancialEventGroupStartedAfter: after.toISOString(),
    FinancialEventGroupStartedBefore: before.toISOString(),
  }
  const groups: Group[] = []
  for await (const page of pages(port, {
    operation: 'listFinancialEventGroups',
    path: GROUPS,
    first,
    token: 'NextToken',
  }))
    groups.push(...objectsUnder(page, 'FinancialEventGroupList'))
  return groups.toSorted((a, b) => startOf(a) - startOf(b))
}

const startOf = (group: Group): number => Date.parse(textOf(group['FinancialEventGroupStart'])) || 0

function reportOf(port: Port<Settings>, group: Group): Report {
  const id = textOf(group['FinancialEventGroupId'])
  return {
    reference: referenceOf(group),
    name: `amazon-transactions-${id.replaceAll(/[^\w.-]/g, '_').slice(0, 100)}.json`,
    read: async () => {
      const transactions: unknown[] = []
      const first = { relatedIdentifierName: 'FINANCIAL_EVENT_GROUP_ID', relatedIdentifierValue: id }
      for await (const page of pages(port, {
        operation: 'listTransactions',
        path: TRANSACTIONS,
        first,
        token: 'nextToken',
      }))
        transactions.push(...objectsUnder(page, 'transactions'))
      return Buffer.from(JSON.stringify({ financialEventGroups: [group], transactions }), 'utf8')
    },
  }
}

interface Listing {
  operation: string
  path: string
  first: Readonly<Record<string, string | number>>
  token: 'NextToken' | 'nextToken'
}

/** Each page as exact JSON. A page may be empty and still name the next one; every request repeats the arguments of the first. */
async function* pages(port: Port<Settings>, { operation, path, first, token }: Listing): AsyncGenerator<unknown> {
  let next: string | undefined
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = { ...first, [token]: next }
    const answer = await port.http.request({ operation, method: 'GET', path, query, repeat: 'safe' })
    const document = exactJson(answer.text)
    yield document
    next = nextIn(document, token)
    if (next === undefined) return
  }
  throw new HubError('vendor_response_invalid', `${operation} did not end after ${PAGES_MAX} pages`)
}

function nextIn(document: unknown, token: string): string | undefined {
  if (!isObject(document)) return undefined
  const payload = isObject(document['payload']) ? document['payload'] : {}
  return textOf(payload[token]) || textOf(document[token]) || undefined
}
