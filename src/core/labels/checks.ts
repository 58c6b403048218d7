import type { Check } from '../checks.ts'

export const LABELS: readonly Check[] = [
  {
    name: 'work_leaves_with_its_label',
    checked: `select count(*) from parcels`,
    broken: `
      select format('parcel %s is %s, but its work has left', p.reference, p.state)
      from parcels p join fulfillment_orders f on f.id = p.fulfillment_order_id
      join outbox x on x.key = 'fulfillment.new:' || f.number and x.attempts > 0
      where p.state in ('wanted', 'rated', 'buying') and p.chosen_by = 'rules'`,
  },
  {
    name: 'labels_of_no_use_are_given_back',
    checked: `select count(*) from parcels where state = 'bought'`,
    broken: `
      select format('parcel %s of %s', p.reference, f.number)
      from parcels p join fulfillment_orders f on f.id = p.fulfillment_order_id
      where p.state = 'bought' and f.state = 'CANCELLED' and not exists (
        select 1 from shipments s where s.order_id = p.order_id and s.fulfillment_order_id = f.id)`,
  },
  {
    name: 'parcels_progress_is_their_newest_scan',
    checked: `select count(*) from shipments where tracking_status is not null`,
    broken: `
      select format('shipment %s was delivered at %s, its scans say %s', s.id, s.delivered_at, e.at)
      from shipments s join orders o on o.id = s.order_id
      join lateral (
        select min(t.at) filter (where t.status = 'delivered') as at from tracking_events t
        join connections c on c.id = t.connection_id and c.company_id = o.company_id where t.tracking_number = s.tracking_number
      ) e on true
      where s.delivered_at is distinct from e.at`,
  },
]
