import { StockCount } from '../core/model/stock.ts'
import { checker } from '../core/model/validate.ts'
import type { Connector } from '../connectors/_kit/define.ts'

/** A count of zero for what a full file left out. */
export const ABSENT_TOPIC = 'hub.absent'

const readCount = checker(StockCount)

/** Rows that the hub adds to a connection's inbox by itself. Their payload is canonical, so that no connector has to understand them. */
export const OWN_TOPICS: Connector['inbound'] = {
  [ABSENT_TOPIC]: {
    map: (payload) => ({ facts: [{ kind: 'stock_count', document: readCount(payload) }], warnings: [] }),
  },
}
