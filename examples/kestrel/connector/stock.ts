import Type from 'typebox'
import { HubError } from '../../../src/core/errors.ts'
import type { AvailabilityLine, AvailabilityResult } from '../../../src/core/model/effects.ts'
import { checker } from '../../../src/core/model/validate.ts'
import type { Port } from '../../../src/connectors/_kit/define.ts'

/** One call a SKU, ten calls a second: a larger batch would hold the others up for longer. `GET /v1/stock` takes 50. */
export const STOCK_BATCH_MAX = 10

const open = { additionalProperties: true } as const
const Row = Type.Object({ sku: Type.String(), available: Type.Integer() }, open)
const readRow = checker(Row, 'vendor_response_invalid')
const readRows = checker(Type.Object({ stock: Type.Array(Row) }, open), 'vendor_response_invalid')

/** Absolute numbers: saying one twice does no harm. What Kestrel refuses of one SKU is no reason to leave the others untold. */
export async function pushStock(port: Port, lines: readonly AvailabilityLine[]): Promise<AvailabilityResult[]> {
  const results: AvailabilityResult[] = []
  for (const line of lines) results.push(await setOne(port, line))
  return results
}

async function setOne(
  port: Port,
  { listing_id, channel_sku, quantity }: AvailabilityLine,
): Promise<AvailabilityResult> {
  try {
    const answer = await port.http.request({
      operation: 'stock.set',
      method: 'PUT',
      path: `/v1/stock/${encodeURIComponent(channel_sku)}`,
      json: { available: quantity },
      repeat: 'safe',
      lane: 'realtime',
    })
    if (readRow(answer.body).available === quantity) return { listing_id, outcome: 'set' }
    return { listing_id, outcome: 'refused', code: 'vendor_rejected', detail: 'Kestrel answered with another quantity' }
  } catch (thrown) {
    if (thrown instanceof HubError && thrown.next === 'park')
      return { listing_id, outcome: 'refused', code: thrown.code, detail: thrown.message }
    throw thrown
  }
}

export async function readStock(
  port: Port,
  lines: readonly AvailabilityLine[],
): Promise<{ listing_id: number; quantity: number }[]> {
  const answer = await port.http.request({
    operation: 'stock.get',
    method: 'GET',
    path: '/v1/stock',
    query: { skus: lines.map(({ channel_sku }) => channel_sku).join(',') },
    repeat: 'safe',
    lane: 'realtime',
  })
  const shown = new Map(readRows(answer.body).stock.map(({ sku, available }) => [sku, available]))
  return lines.flatMap(({ listing_id, channel_sku }) => {
    const quantity = shown.get(channel_sku)
    return quantity === undefined ? [] : [{ listing_id, quantity }]
  })
}
