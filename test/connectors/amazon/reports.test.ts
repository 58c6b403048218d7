import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { amazon } from '../../../src/connectors/amazon/index.ts'
import type { Report } from '../../../src/connectors/_kit/define.ts'
import { amazonFinances } from '../../../src/mappings/amazon/finances.ts'
import { amazonSettlementV2 } from '../../../src/mappings/amazon/settlementV2.ts'
import { readBack } from '../../mappings/movements.ts'
import { openStage, portTo, sell, type Stage } from './simulator.ts'

let stage: Stage
beforeEach(async () => void (stage = await openStage({ page_size: 2 })))
afterEach(async () => await stage.market.stop())

async function ship(quantity: number) {
  const order = sell(stage, [{ sku: 'TEA', quantity }])
  await amazon.shipments!.send(
    portTo(stage).port,
    [
      {
        outbox_id: 1,
        shipment_id: order.external_id,
        order_external_id: order.external_id,
        order_number: order.number,
        carrier: 'DHL',
        tracking_number: `T-${order.external_id}`,
        more_tracking_numbers: [],
        tracking_url: null,
        shipped_at: '2026-11-20T10:00:00.000Z',
        lines: [{ line_external_id: order.lines[0]!.line_id, channel_sku: 'TEA', quantity }],
        units_remaining: 0,
      },
    ],
    'key',
    stage.now(),
  )
  return order
}

async function list(payouts_from: string, announced: readonly string[] = [], cursor: string | null = null) {
  const { port } = portTo(stage, { payouts_from })
  const reports: Report[] = []
  let last = cursor
  const request = { cursor, overlap_ms: 0, now: new Date(stage.now().getTime() + 300_000), announced }
  for await (const page of amazon.settlements!.reports!(port, request)) {
    reports.push(...page.reports)
    last = page.cursor
  }
  return { reports, cursor: last }
}

describe('settlement reports', () => {
  it('are found oldest first, over pages, unpacked, and come to what was paid', async () => {
    for (let payout = 0; payout < 5; payout += 1) {
      const order = await ship(payout + 1)
      if (payout === 3) stage.market.refund(order.external_id, order.lines[0]!.line_id, 1, 'none')
      stage.clock.ms += 60_000
      stage.market.payOut()
    }
    const { reports, cursor } = await list('reports')
    const payouts = stage.market.payouts()
    expect(reports).toHaveLength(5)
    for (const [index, report] of reports.entries()) {
      const text = (await report.read()).toString('utf8')
      const read = await readBack(amazonSettlementV2, text)
      expect(read.proof.faults).toEqual([])
      const { id, amount_minor } = payouts[index]!
      expect(read.proof.settlements).toMatchObject([
        { external_id: id, payout_minor: amount_minor, difference_minor: 0 },
      ])
    }
    stage.clock.ms += 3_600_000
    expect((await list('reports', [], cursor)).reports).toEqual([])
  })

  it('that were announced are fetched by their id alone; one that is not there is told so', async () => {
    await ship(1)
    stage.market.payOut()
    const all = await list('reports')
    stage.clock.ms += 3_600_000
    const { reports } = await list('reports', [all.reports[0]!.reference, '99'], all.cursor)
    expect(reports.map(({ reference }) => reference)).toEqual([all.reports[0]!.reference, '99'])
    expect(await reports[0]!.read()).toEqual(await all.reports[0]!.read())
    await expect(reports[1]!.read()).rejects.toMatchObject({ code: 'vendor_not_found' })
  })
})

describe('transactions of the Finances API', () => {
  it('make one document for each payout that was closed, which comes to the same amounts', async () => {
    const order = await ship(3)
    stage.market.refund(order.external_id, order.lines[0]!.line_id, 1, 'none')
    stage.market.payOut()
    const { reports } = await list('transactions')
    const [payout] = stage.market.payouts()
    expect(reports.map(({ reference }) => reference)).toEqual([`group:${payout!.id}`])
    const read = await readBack(amazonFinances, (await reports[0]!.read()).toString('utf8'))
    expect(read.proof.faults).toEqual([])
    expect(read.proof.settlements).toMatchObject([
      { external_id: payout!.id, payout_minor: payout!.amount_minor, difference_minor: 0 },
    ])
    expect(read.lines.map(({ kind, net_minor }) => [kind, net_minor])).toEqual([
      ['sale', 3_000],
      ['commission', -450],
      ['refund', -1_000],
      ['fee_returned', 150],
    ])
  })
})
