import type { RunningHub } from '../main.ts'
import { judgeLabels, type LabelsJudged } from '../sandbox/judgeLabels.ts'
import type { World } from '../sandbox/world.ts'

/** Holds what carriers, warehouses and storefronts remember of labels against what the hub says. */
export async function labelsOfWorld(world: World, { hub }: RunningHub): Promise<LabelsJudged> {
  const places = world.houses.flatMap(({ location_id, labels, simulator }) => {
    const carrier = world.carriers.find(({ connection_id }) => connection_id === labels)
    return carrier === undefined ? [] : [{ location_id, ledger: simulator.ledger(), sold: carrier.ledger() }]
  })
  const labels = await hub.db.query<{ state: string; tracking_number: string }>(
    `select state, tracking_number from parcels where state in ('bought', 'voided') and tracking_number is not null`,
  )
  const delivered = await hub.db.query<{ tracking_number: string }>(
    'select tracking_number from shipments where delivered_at is not null and tracking_number is not null',
  )
  const numbersOf = (state: string): string[] =>
    labels.flatMap((label) => (label.state === state ? label.tracking_number : []))
  const orders = world.shops.flatMap(({ storefront }) => storefront.ledger().orders)
  return judgeLabels(places, orders, {
    voided: numbersOf('voided'),
    bought: numbersOf('bought'),
    delivered: delivered.map(({ tracking_number }) => tracking_number),
  })
}
