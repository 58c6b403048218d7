import { absentSkus } from '../core/inventory/absent.ts'
import type { FileRow, ParsedFile } from '../connectors/_kit/define.ts'
import type { Tx } from '../db/pool.ts'
import type { Connection, Hub } from '../hub.ts'
import { plainSettings } from './drainBatch.ts'
import { ABSENT_TOPIC } from './ownTopics.ts'

const LINES_MAX = 500

interface Named {
  as_of: string
  skus: Set<string>
}

/**
 * What a full file says by silence (`absent: 'zero'`): a count of zero for every SKU that has stock at a place which the file speaks
 * of and that it does not name there, true at the time of the file's oldest count of the place. A row that cannot be read might name
 * any SKU, so a file with such a row says nothing by silence.
 */
export async function absentRows(
  tx: Tx,
  hub: Hub,
  connection: Connection,
  file: { sha256: Buffer; parsed: ParsedFile },
): Promise<FileRow[]> {
  if (file.parsed.absent !== 'zero') return []
  const places = placesNamed(connection, file.parsed)
  if (places === undefined) {
    hub.log.warn({ connection: connection.id }, 'a full file has rows that cannot be read; what it leaves out is kept')
    return []
  }
  const rows: FileRow[] = []
  for (const [place, [location_code, { as_of, skus }]] of [...places].entries()) {
    const absent = await absentSkus(tx, connection.id, location_code, [...skus])
    for (let start = 0; start < absent.length; start += LINES_MAX) {
      const external_id = `absent:${file.sha256.toString('hex').slice(0, 32)}:${place + 1}:${start / LINES_MAX + 1}`
      const lines = absent.slice(start, start + LINES_MAX)
      const counted = lines.map((sku) => ({ sku, on_hand: 0, damaged: 0, quality_control: 0 }))
      const payload = { external_id, location_code, as_of, lines: counted }
      rows.push({ row: 0, topic: ABSENT_TOPIC, dedupe_key: external_id, payload })
    }
  }
  return rows
}

/** The connection's own mappings tell what its rows count and where. Undefined when one of them cannot be read. */
function placesNamed(connection: Connection, parsed: ParsedFile): Map<string, Named> | undefined {
  const places = new Map<string, Named>()
  const context = { observed_at: parsed.as_of, settings: plainSettings(connection) }
  for (const row of parsed.rows) {
    const mapping = connection.connector.inbound[row.topic]
    if (row.fault !== undefined || mapping === undefined) return undefined
    let facts
    try {
      facts = mapping.map(row.payload, context).facts
    } catch {
      // The row will be parked with its cause when it is drained.
      return undefined
    }
    for (const fact of facts) {
      if (fact.kind !== 'stock_count') continue
      const { location_code, as_of, lines } = fact.document
      const named = places.get(location_code) ?? { as_of, skus: new Set() }
      if (Date.parse(as_of) < Date.parse(named.as_of)) named.as_of = as_of
      for (const { sku } of lines) named.skus.add(sku)
      places.set(location_code, named)
    }
  }
  return places
}
