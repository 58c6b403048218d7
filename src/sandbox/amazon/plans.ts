/** The usage plans of the API: a bucket for each operation that holds `burst` calls and gets `rate` a second back. */
export interface Plan {
  rate: number
  burst: number
}

const USUAL: Readonly<Record<string, Plan>> = {
  searchOrders: { rate: 0.0056, burst: 20 },
  getOrder: { rate: 0.5, burst: 30 },
  confirmShipment: { rate: 2, burst: 10 },
  searchListingsItems: { rate: 5, burst: 5 },
  getListingsItem: { rate: 5, burst: 10 },
  patchListingsItem: { rate: 5, burst: 5 },
  createFeedDocument: { rate: 0.5, burst: 15 },
  createFeed: { rate: 0.0083, burst: 15 },
  getFeed: { rate: 2, burst: 15 },
  getFeeds: { rate: 0.0222, burst: 10 },
  getFeedDocument: { rate: 0.0222, burst: 10 },
  getReport: { rate: 2, burst: 15 },
  getReports: { rate: 0.0222, burst: 10 },
  getReportDocument: { rate: 0.0167, burst: 15 },
  listFinancialEventGroups: { rate: 0.5, burst: 30 },
  listTransactions: { rate: 0.5, burst: 10 },
  getMarketplaceParticipations: { rate: 0.016, burst: 15 },
}

/** Takes a call out of its bucket: the plan's rate when there was one, undefined when the bucket is empty. */
export type Meter = (operation: string) => { allowed: boolean; rate: number }

/** `raised`: what the account has been given instead of the usual plan, for all operations. */
export function createMeter({ now, raised }: { now: () => Date; raised: Plan | null }): Meter {
  const buckets = new Map<string, { left: number; at_ms: number }>()
  return (operation) => {
    const { rate, burst } = raised ?? USUAL[operation] ?? { rate: 1, burst: 5 }
    const at_ms = now().getTime()
    const bucket = buckets.get(operation) ?? { left: burst, at_ms }
    const left = Math.min(burst, bucket.left + ((at_ms - bucket.at_ms) / 1_000) * rate)
    const allowed = left >= 1
    buckets.set(operation, { left: allowed ? left - 1 : left, at_ms })
    return { allowed, rate }
  }
}
