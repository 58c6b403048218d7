import { setTimeout as sleep } from 'node:timers/promises'
import Type from 'typebox'
import { asHubError, HubError } from '../../core/errors.ts'
import type { AvailabilityResult } from '../../core/model/effects.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port } from '../_kit/define.ts'
import { downloadDocument } from './documents.ts'
import { apiOf, type Settings } from './settings.ts'
import { patchOf, refused, type Target } from './patches.ts'

const FEED_TYPE = 'JSON_LISTINGS_FEED'
const FEEDS = '/feeds/2021-06-30'
const CONTENT_TYPE = 'application/json; charset=UTF-8'
const REPORT_BYTES_MAX = 50_000_000
/** Pauses between looks at a feed under way; the last one is repeated. Amazon often takes longer, and then the numbers are read back. */
const LOOKS_MS = [250, 750, 1_000, 2_000, 3_000, 4_000, 5_000] as const
const WAIT_SECONDS = 20
/** How long to leave alone a feed that has not ended. */
const FEED_AGAIN_MS = 30_000

const open = { additionalProperties: true } as const
const readCreated = checker(
  Type.Object({ feedDocumentId: Type.String(), url: Type.String() }, open),
  'vendor_response_invalid',
)
const readFeedId = checker(Type.Object({ feedId: Type.String() }, open), 'vendor_response_invalid')
const Feed = Type.Object(
  {
    feedId: Type.String(),
    processingStatus: Type.String(),
    resultFeedDocumentId: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  },
  open,
)
const readFeed = checker(Feed, 'vendor_response_invalid')
const readFeeds = checker(Type.Object({ feeds: Type.Array(Feed) }, open), 'vendor_response_invalid')
const readReport = checker(
  Type.Object(
    {
      issues: Type.Array(
        Type.Object({ messageId: Type.Optional(Type.Integer()), code: Type.String(), severity: Type.String() }, open),
      ),
      summary: Type.Object(
        { messagesProcessed: Type.Integer(), messagesAccepted: Type.Integer(), messagesInvalid: Type.Integer() },
        open,
      ),
    },
    open,
  ),
  'vendor_response_invalid',
)
type Feed = ReturnType<typeof readFeed>

const ENDED = new Set(['DONE', 'FATAL', 'CANCELLED'])

/**
 * Many quantities as one document. It is worked off behind the counter: when it ends within the time of a push, its processing report
 * says what became of each line; when it does not, or when its answer is lost, the fault is `outcome_unknown` and the store is read back.
 * While an earlier feed is under way no other is made, because it might be the earlier one that is carried out last.
 */
export async function sendFeed(port: Port<Settings>, targets: readonly Target[]): Promise<AvailabilityResult[]> {
  await earlierEnded(port)
  const document = await upload(port, targets)
  const { marketplace_ids } = apiOf(port.settings)
  const json = { feedType: FEED_TYPE, marketplaceIds: [marketplace_ids[0]], inputFeedDocumentId: document }
  const call = {
    operation: 'createFeed',
    method: 'POST',
    path: `${FEEDS}/feeds`,
    json,
    repeat: 'once',
    lane: 'realtime',
  } as const
  const { feedId } = readFeedId((await port.http.request(call)).body)
  try {
    return await outcome(port, feedId, targets)
  } catch (thrown) {
    const fault = asHubError(thrown)
    // From here on the feed is Amazon's, whatever the reason why we cannot hear of it: throttling would mean that nothing was sent.
    throw new HubError('outcome_unknown', `feed ${feedId}: ${fault.message}`, { cause: fault })
  }
}

async function earlierEnded(port: Port<Settings>): Promise<void> {
  const query = { feedTypes: FEED_TYPE, processingStatuses: 'IN_QUEUE,IN_PROGRESS', pageSize: 10 }
  const call = {
    operation: 'getFeeds',
    method: 'GET',
    path: `${FEEDS}/feeds`,
    query,
    repeat: 'safe',
    lane: 'realtime',
  } as const
  const { feeds } = readFeeds((await port.http.request(call)).body)
  for (const { feedId } of feeds) {
    const feed = await waitFor(port, feedId)
    if (ENDED.has(feed.processingStatus)) continue
    throw new HubError('vendor_throttled', `feed ${feedId} is still under way`, { retry_after_ms: FEED_AGAIN_MS })
  }
}

async function upload(port: Port<Settings>, targets: readonly Target[]): Promise<string> {
  const call = {
    operation: 'createFeedDocument',
    method: 'POST',
    path: `${FEEDS}/documents`,
    json: { contentType: CONTENT_TYPE },
    repeat: 'safe',
    lane: 'realtime',
  } as const
  const { feedDocumentId, url } = readCreated((await port.http.request(call)).body)
  const bytes = Buffer.from(JSON.stringify(feedOf(apiOf(port.settings).seller_id, targets)), 'utf8')
  const headers = { 'content-type': CONTENT_TYPE }
  await port.http.transfer({ operation: 'feed.upload', method: 'PUT', url, bytes, headers, bytes_max: 100_000 })
  return feedDocumentId
}

const feedOf = (sellerId: string, targets: readonly Target[]) => ({
  header: { sellerId, version: '2.0' },
  messages: targets.map((target, index) => ({
    messageId: index + 1,
    sku: target.line.channel_sku,
    operationType: 'PATCH',
    productType: target.product_type,
    patches: [patchOf(target)],
  })),
})

async function waitFor(port: Port<Settings>, feed_id: string): Promise<Feed> {
  const call = {
    operation: 'getFeed',
    method: 'GET',
    path: `${FEEDS}/feeds/${encodeURIComponent(feed_id)}`,
    repeat: 'safe',
    lane: 'realtime',
  } as const
  let feed = readFeed((await port.http.request(call)).body)
  let left_ms = (port.settings.feed_wait_seconds ?? WAIT_SECONDS) * 1_000
  for (let look = 0; !ENDED.has(feed.processingStatus) && left_ms > 0; look += 1) {
    const pause_ms = LOOKS_MS[look] ?? 5_000
    await sleep(pause_ms)
    left_ms -= pause_ms
    feed = readFeed((await port.http.request(call)).body)
  }
  return feed
}

async function outcome(
  port: Port<Settings>,
  feed_id: string,
  targets: readonly Target[],
): Promise<AvailabilityResult[]> {
  const { processingStatus, resultFeedDocumentId } = await waitFor(port, feed_id)
  if (processingStatus === 'FATAL' || processingStatus === 'CANCELLED')
    return targets.map(({ line }) => refused(line, 'vendor_rejected', `feed ${feed_id} ended as ${processingStatus}`))
  if (processingStatus !== 'DONE') throw new HubError('vendor_timeout', 'is still under way')
  if (!resultFeedDocumentId) throw new HubError('vendor_response_invalid', 'has no processing report')
  const bytes = await downloadDocument(port, {
    operation: 'getFeedDocument',
    path: `${FEEDS}/documents/${encodeURIComponent(resultFeedDocumentId)}`,
    bytes_max: REPORT_BYTES_MAX,
  })
  return verdicts(readReport(jsonOf(bytes)), targets)
}

/** Pure: a report that does not count every line of ours proves nothing about any. */
function verdicts(report: ReturnType<typeof readReport>, targets: readonly Target[]): AvailabilityResult[] {
  const { messagesProcessed, messagesAccepted, messagesInvalid } = report.summary
  const errors = new Map<number, string[]>()
  for (const { messageId, code, severity } of report.issues)
    if (severity === 'ERROR' && messageId !== undefined) errors.set(messageId, [...(errors.get(messageId) ?? []), code])
  const counted = messagesProcessed === targets.length && messagesAccepted + messagesInvalid === targets.length
  if (!counted || errors.size < messagesInvalid)
    throw new HubError('vendor_response_invalid', 'the processing report does not account for every line')
  return targets.map(({ line }, index) => {
    const codes = errors.get(index + 1)
    return codes === undefined
      ? { listing_id: line.listing_id, outcome: 'set' }
      : refused(line, 'vendor_rejected', `refused by the feed: ${[...new Set(codes)].join(', ')}`.slice(0, 200))
  })
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch {
    throw new HubError('vendor_response_invalid', 'the processing report is no JSON')
  }
}
