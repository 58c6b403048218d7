import type { TrackerNews } from './easypostLedger.ts'
import type { Faults } from './simulator.ts'
import { postWebhook } from './vendorServer.ts'

interface NewsOptions {
  random: () => number
  now: () => Date
  webhook_url: string | null
  faults: () => Faults
  bodies: (news: TrackerNews) => { signed: string; sent: string } | undefined
  sign: (body: string) => Record<string, string>
  /** Somebody has taken it, or it is given up. */
  told: (news_id: string) => void
}

export interface NewsDesk {
  setUrl: (url: string) => void
  send: (news: TrackerNews) => void
  busy: () => boolean
  stop: () => Promise<void>
}

/** Hours of retries, pressed into seconds. What is lost on the way for good is found by whoever asks. */
const RETRY_DELAYS_MS = [200, 400, 800, 1_600] as const
const ATTEMPTS_MAX = 60

/** Webhooks that come at least once, in any order, and some of them never. */
export function createNewsDesk(options: NewsOptions): NewsDesk {
  let url = options.webhook_url
  let stopped = false
  const timers = new Set<NodeJS.Timeout>()
  const underWay = new Set<Promise<void>>()
  /** What came up while there was nobody to tell. */
  const kept: { news: TrackerNews; attempt: number }[] = []

  const after = (delay_ms: number, news: TrackerNews, attempt: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      const work = deliver(news, attempt)
      underWay.add(work)
      void work.finally(() => underWay.delete(work))
    }, delay_ms)
    timers.add(timer)
  }

  const deliver = async (news: TrackerNews, attempt: number): Promise<void> => {
    const bodies = options.bodies(news)
    if (bodies === undefined) return options.told(news.id)
    if (url === null) return void kept.push({ news, attempt })
    const { webhook_drop_share, webhook_duplicate_share } = options.faults()
    if (options.random() < webhook_drop_share) return options.told(news.id)
    const headers = { 'content-type': 'application/json', 'user-agent': 'EasyPost/v2', ...options.sign(bodies.signed) }
    const status = await postWebhook(url, bodies.sent, headers)
    if (options.random() < webhook_duplicate_share) await postWebhook(url, bodies.sent, headers)
    if (stopped) return
    if ((status !== undefined && status >= 200 && status < 300) || attempt >= ATTEMPTS_MAX) options.told(news.id)
    else after(RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length) - 1] ?? 0, news, attempt + 1)
  }

  return {
    setUrl: (next) => {
      url = next
      for (const { news, attempt } of kept.splice(0)) after(0, news, attempt)
    },
    send: (news) => after(options.random() * options.faults().webhook_delay_ms_max, news, 1),
    busy: () => timers.size + underWay.size > 0,
    stop: async () => {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      await Promise.all(underWay)
    },
  }
}
