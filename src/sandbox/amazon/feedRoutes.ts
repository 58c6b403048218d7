import type { VendorAnswer } from '../vendorServer.ts'
import type { AccountFeed } from './account.ts'
import { absent, bodyOf, invalid, json, listOf, type ApiCall, type ApiOptions, type Route } from './api.ts'
import { patched } from './listingRoutes.ts'

const FEEDS = '/feeds/2021-06-30'
const MESSAGES_MAX = 25_000

export const FEED_ROUTES: readonly Route[] = [
  { method: 'POST', path: new RegExp(`^${FEEDS}/documents$`), operation: 'createFeedDocument', handle: createDocument },
  {
    method: 'GET',
    path: new RegExp(`^${FEEDS}/documents/([^/]+)$`),
    operation: 'getFeedDocument',
    handle: getDocument,
  },
  { method: 'POST', path: new RegExp(`^${FEEDS}/feeds$`), operation: 'createFeed', handle: createFeed },
  { method: 'GET', path: new RegExp(`^${FEEDS}/feeds$`), operation: 'getFeeds', handle: getFeeds },
  { method: 'GET', path: new RegExp(`^${FEEDS}/feeds/([^/]+)$`), operation: 'getFeed', handle: getFeed },
]

function createDocument({ options }: ApiCall): VendorAnswer {
  const feedDocumentId = `amzn1.tortuga.4.eu.feed-${options.account.nextId()}`
  return json(201, { feedDocumentId, url: options.sign(feedDocumentId) })
}

function getDocument({ options, ids }: ApiCall): VendorAnswer {
  const [id = ''] = ids
  if (options.account.document(id) === undefined) return absent('The document')
  return json(200, { feedDocumentId: id, url: options.sign(id), compressionAlgorithm: 'GZIP' })
}

function createFeed({ request, options }: ApiCall): VendorAnswer {
  const { feedType, inputFeedDocumentId, marketplaceIds } = bodyOf(request) ?? {}
  if (feedType !== 'JSON_LISTINGS_FEED' || !Array.isArray(marketplaceIds)) return invalid('feedType or marketplaceIds')
  if (typeof inputFeedDocumentId !== 'string' || options.account.document(inputFeedDocumentId) === undefined)
    return invalid('inputFeedDocumentId')
  const id = String(options.account.nextId() + 50_000)
  const created_ms = options.now().getTime()
  options.account.commit({
    feed: { id, created_ms, document_id: inputFeedDocumentId, result_document_id: null, status: 'IN_QUEUE' },
  })
  return json(202, { feedId: id })
}

const shownFeed = (feed: AccountFeed) => ({
  feedId: feed.id,
  feedType: 'JSON_LISTINGS_FEED',
  createdTime: new Date(feed.created_ms).toISOString(),
  processingStatus: feed.status,
  ...(feed.result_document_id === null ? {} : { resultFeedDocumentId: feed.result_document_id }),
})

function getFeeds({ request, options }: ApiCall): VendorAnswer {
  const statuses = listOf(request.query.get('processingStatuses'))
  const feeds = options.account.feeds().filter(({ status }) => statuses.length === 0 || statuses.includes(status))
  return json(200, { feeds: feeds.map(shownFeed) })
}

function getFeed({ options, ids }: ApiCall): VendorAnswer {
  const feed = options.account.feeds().find(({ id }) => id === ids[0])
  return feed === undefined ? absent('The feed') : json(200, shownFeed(feed))
}

/** Works off the feeds whose time has come, in the order of their making. */
export function workOffFeeds(options: ApiOptions): void {
  const now_ms = options.now().getTime()
  for (const feed of options.account.feeds())
    if (feed.status === 'IN_QUEUE' && feed.created_ms + options.feed_ms <= now_ms) workOff(feed, options)
}

interface Message {
  messageId: number
  sku: string
  operationType: string
}

function workOff(feed: AccountFeed, options: ApiOptions): void {
  const messages = messagesIn(options.account.document(feed.document_id) ?? '', options.seller_id)
  if (messages === undefined) return options.account.commit({ feed: { ...feed, status: 'FATAL' } })
  const quantities: Record<string, number> = {}
  const issues: unknown[] = []
  for (const message of messages) {
    const change = message.operationType === 'PATCH' ? patched(options, message.sku, { ...message }) : '4000002'
    if (typeof change !== 'string') quantities[change.sku] = change.quantity
    else
      issues.push({
        messageId: message.messageId,
        sku: message.sku,
        code: change,
        severity: 'ERROR',
        message: 'Not valid.',
      })
  }
  const summary = {
    errors: issues.length,
    warnings: 0,
    messagesProcessed: messages.length,
    messagesAccepted: messages.length - issues.length,
    messagesInvalid: issues.length,
  }
  const report = { header: { sellerId: options.seller_id, version: '2.0', feedId: feed.id }, issues, summary }
  const id = `amzn1.tortuga.4.eu.result-${feed.id}`
  const text = JSON.stringify(report)
  // In one line of the journal: a feed that was worked off and not noted would put its old numbers back after the next start.
  return options.account.writeStock(quantities, {
    feed: { ...feed, status: 'DONE', result_document_id: id },
    document: { id, text },
  })
}

function messagesIn(text: string, seller_id: string): Message[] | undefined {
  try {
    const { header, messages } = JSON.parse(text) as {
      header?: { sellerId?: string; version?: string }
      messages?: Message[]
    }
    const sound = header?.sellerId === seller_id && header.version === '2.0' && Array.isArray(messages)
    const ids = new Set(messages?.map(({ messageId }) => messageId))
    return sound && messages.length >= 1 && messages.length <= MESSAGES_MAX && ids.size === messages.length
      ? messages
      : undefined
  } catch {
    return undefined
  }
}
