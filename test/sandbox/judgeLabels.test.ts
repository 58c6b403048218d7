import { expect, test } from 'vitest'
import type { SoldLabel } from '../../src/sandbox/easypostLedger.ts'
import { judgeLabels, labelsAreWhole, type LabelledPlace, type LabelStatement } from '../../src/sandbox/judgeLabels.ts'

const label = (number: string, changes: Partial<SoldLabel> = {}): SoldLabel => ({
  shipment_id: `shp_${number}`,
  reference: `FO-${number}-1`,
  tracking_code: number,
  carrier: 'GLS',
  rate: '4.00',
  refunded: false,
  delivered: true,
  ...changes,
})
const parcel = (number: string) => ({
  shipment_id: `S-${number}`,
  fulfillment_order: `FO-${number}`,
  tracking_number: number,
  lines: [],
})

/** Two parcels that left with their labels, and one label that was given back in time. */
function scene() {
  const sold = [label('1'), label('2'), label('3', { refunded: true, delivered: false })]
  const place: LabelledPlace = {
    location_id: 'berlin',
    sold,
    ledger: { shipped: [parcel('1'), parcel('2')], labels_given: { 'FO-1': '1', 'FO-2': '2' }, labels_missing: [] },
  }
  const orders = [
    {
      cancelled: false,
      notices: [
        { tracking_number: '1', lines: [] },
        { tracking_number: '2', lines: [] },
      ],
    },
  ]
  const hub: LabelStatement = { voided: ['3'], bought: ['1', '2'], delivered: ['1', '2'] }
  return { place, orders, hub }
}
type Scene = ReturnType<typeof scene>
const judged = (change: (scene: Scene) => void = () => undefined) => {
  const all = scene()
  change(all)
  return judgeLabels([all.place], all.orders, all.hub)
}

test('labels that were bought once and used, or given back, are whole', () => {
  const verdict = judged()
  expect(verdict).toMatchObject({ labels_bought: 3, labels_refunded: 1, delivered: 2, label_faults: [] })
  expect(labelsAreWhole(verdict)).toBe(true)
})

test.each<[string, keyof ReturnType<typeof judged>, (scene: Scene) => void]>([
  [
    'a second label for the same work',
    'labels_twice',
    ({ place }) => void (place.sold = [...place.sold, label('9', { reference: 'FO-1-2', delivered: false })]),
  ],
  [
    'a label on no parcel',
    'labels_idle',
    ({ place }) => void (place.sold = [...place.sold, label('9', { delivered: false })]),
  ],
  ['a refund that the hub does not know of', 'refunds_missed', ({ hub }) => void (hub.voided = [])],
  ['a refund that the carrier does not know of', 'refunds_missed', ({ hub }) => void (hub.voided = ['3', '2'])],
  [
    'a parcel with another number than was sent along',
    'labels_not_used',
    ({ place }) => void (place.ledger = { ...place.ledger, labels_given: { 'FO-1': '7' } }),
  ],
  [
    'a label whose file did not come',
    'labels_not_used',
    ({ place }) => void (place.ledger = { ...place.ledger, labels_missing: ['label_FO-1-1.pdf'] }),
  ],
  [
    'a number that was told and is on no parcel',
    'numbers_told_wrong',
    ({ orders }) => orders[0]!.notices.push({ tracking_number: '3', lines: [] }),
  ],
  [
    'a label on a parcel that the hub does not call bought',
    'numbers_told_wrong',
    ({ hub }) => void (hub.bought = ['1']),
  ],
  ['a delivery that the hub missed', 'deliveries_missed', ({ hub }) => void (hub.delivered = ['1'])],
])('finds %s', (_name, figure, change) => {
  const verdict = judged(change)
  expect(verdict[figure]).toBe(1)
  expect(labelsAreWhole(verdict)).toBe(false)
})
