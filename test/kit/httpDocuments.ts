import { keepPeople, personKey } from '../../src/core/people/people.ts'
import { insertInbox, sealRow } from '../../src/db/inbox.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import type { Hub } from '../../src/hub.ts'
import { coreContext } from '../../src/queues/context.ts'

export interface Seeded {
  order_id: string
}

const AT = '2026-01-01T10:00:00.123Z'

/** Two or more of everything that the API lists, tied together around the order A-1 of Ada Lovelace. */
export async function seedDocuments(hub: Hub): Promise<Seeded> {
  const { db, ids } = hub
  await db.query(`
    insert into items (company_id, sku, name) values ('acme', 'BOOK-1', 'Book'), ('acme', 'MUG-1', 'Mug');
    insert into stock (item_id, location_id, available, committed) select id, 'berlin', 8, 2 from items where sku = 'BOOK-1';
    insert into stock (item_id, location_id, available) select id, 'berlin', 5 from items where sku = 'MUG-1';
    insert into stock_ledger (item_id, location_id, from_state, to_state, quantity, reason, source, occurred_at, recorded_at)
      select id, 'berlin', 'outside', 'available', 10, 'count', 'file:1', '${AT}', '${AT}' from items where sku = 'BOOK-1';
    insert into listings (connection_id, channel_sku, title) values ('corner-eu', 'BOOK-1', 'A book'), ('corner-eu', 'UNKNOWN', null);
    insert into listing_items (listing_id, item_id, quantity)
      select l.id, i.id, 1 from listings l join items i on i.sku = l.channel_sku where l.channel_sku = 'BOOK-1';
    insert into availability (listing_id, connection_id, dirty_seq, sent_seq, dirty_at, next_attempt_at)
      select id, 'corner-eu', 2, 1, '${AT}', '${AT}' from listings where channel_sku = 'BOOK-1';
    insert into cursors (connection_id, stream, cursor, updated_at) values ('corner-eu', 'orders', 'c-1', '${AT}');
    insert into inbound_files (connection_id, name, type, sha256, rows, state, received_at)
      values ('mute-eu', 'a.csv', 'stock', '\\x01', 3, 'applied', '${AT}'), ('mute-eu', 'b.csv', 'stock', '\\x02', 1, 'held', '${AT}');`)
  const order_id = await seedOrders(hub)
  await seedEffects(hub, order_id)
  await seedSettlements(hub)
  const message = (dedupe_key: string) => ({
    connection_id: 'corner-eu',
    source: 'webhook' as const,
    topic: 'order',
    dedupe_key,
    body: Buffer.from('{"id":"7","buyer_email":"ada@example.com"}'),
    observed_at: AT,
    received_at: new Date(AT),
  })
  await insertInbox(db, [sealRow(hub.vault, message('m-1')), sealRow(hub.vault, message('m-2'))])
  await db.query(
    `update inbox set state = 'parked', cause_code = 'unknown_sku', cause_detail = 'no such listing' where dedupe_key = 'm-2'`,
  )
  await db.query(`
    insert into dead_letters (connection_id, source, source_id, kind, code, detail, created_at)
      select 'corner-eu', 'inbox', id, 'order', 'unknown_sku', 'no such listing', '${AT}' from inbox where dedupe_key = 'm-2'`)
  return { order_id: order_id ?? ids.uuid() }
}

async function seedOrders(hub: Hub): Promise<string> {
  const { db, ids } = hub
  const [id, second, third, work, shipment] = [ids.uuid(), ids.uuid(), ids.uuid(), ids.uuid(), ids.uuid()]
  const person = await inTransaction(db, (tx) =>
    keepPeople(tx, coreContext(hub), [
      {
        connection_id: 'corner-eu',
        order_external_id: 'ext-1',
        person_id: null,
        buyer: { external_id: 'c-1', name: 'Ada Lovelace', email: 'ada@example.com', phone: null },
        ship_to: {
          name: 'Ada Lovelace',
          company: null,
          line1: '1 Street',
          line2: null,
          city: 'London',
          region: null,
          postcode: 'N1',
          country: 'GB',
          phone: null,
        },
        bill_to: null,
      },
    ]),
  )
  const person_id = person.get(personKey({ connection_id: 'corner-eu', order_external_id: 'ext-1' })) ?? null
  // The same instant twice: the order of a list must not hang on it alone.
  const received = ['2026-01-02T00:00:00.000001Z', '2026-01-02T00:00:00.000001Z', '2026-01-03T00:00:00Z']
  for (const [index, order] of [id, second, third].entries()) {
    await db.query(
      `insert into orders (id, company_id, connection_id, external_id, number, version_updated_at, version_observed_at, placed_at, currency,
                           lifecycle, person_id, total_minor, received_at, changed_at)
       values ($1, 'acme', 'corner-eu', $2, $3, $4, $4, $4, 'EUR', 'open', $5, 2000, $6, $4)`,
      [order, `ext-${index + 1}`, `A-${index + 1}`, AT, index === 0 ? person_id : null, received[index]],
    )
  }
  await db.query(
    `insert into order_lines (order_id, external_id, listing_id, channel_sku, quantity, unit_price_minor, discount_minor, tax_minor, total_minor)
     select $1, 'line-1', id, 'BOOK-1', 2, 1000, 0, 0, 2000 from listings where channel_sku = 'BOOK-1'`,
    [id],
  )
  await db.query(
    `insert into fulfillment_orders (id, number, order_id, location_id, created_at, changed_at) values ($1, 'F-1', $2, 'berlin', $3, $3)`,
    [work, id, AT],
  )
  await db.query(
    `insert into reservations (order_id, order_line_id, item_id, location_id, fulfillment_order_id, per_unit, quantity, state, created_at, changed_at)
     select $1, l.id, i.id, 'berlin', $2, 1, 2, 'committed', $3, $3 from order_lines l join items i on i.sku = 'BOOK-1' where l.order_id = $1`,
    [id, work, AT],
  )
  await db.query(
    `insert into shipments (id, connection_id, external_id, fulfillment_order_id, order_id, tracking_number, shipped_at, recorded_at)
     values ($1, 'mute-eu', 's-1', $2, $3, 'T1', $4, $4)`,
    [shipment, work, id, AT],
  )
  await db.query(
    `insert into shipment_lines (shipment_id, order_line_id, item_id, quantity)
     select $1, l.id, i.id, 1 from order_lines l join items i on i.sku = 'BOOK-1' where l.order_id = $2`,
    [shipment, id],
  )
  await db.query(
    `insert into payments (connection_id, external_id, kind, status, at, currency, amount_minor, order_id, recorded_at)
     values ('corner-eu', 'pay-1', 'capture', 'succeeded', $2, 'EUR', 2000, $1, $2)`,
    [id, AT],
  )
  await db.query(
    `insert into order_facts (order_id, kind, at, recorded_at, source) values ($1, 'received', $2, $2, 'inbox:1')`,
    [id, AT],
  )
  return id
}

async function seedEffects(hub: Hub, order_id: string): Promise<void> {
  await hub.db.query(
    `insert into outbox (connection_id, kind, key, reference, order_id, state, next_attempt_at, created_at, attempts, error_code)
     values ('corner-eu', 'fulfillment.new', 'fulfillment.new:F-1', '{"fulfillment_order":"F-1"}', $1, 'dead', $2, $2, 10, 'vendor_timeout'),
            ('corner-eu', 'shipment.send', 'shipment.send:s-1', '{}', $1, 'pending', $2, $2, 0, null)`,
    [order_id, AT],
  )
  await hub.db.query(
    `insert into dead_letters (connection_id, source, source_id, kind, code, detail, created_at, state)
     select connection_id, 'outbox', id, kind, 'vendor_timeout', 'no answer', $1, case kind when 'fulfillment.new' then 'open' else 'dropped' end
     from outbox`,
    [AT],
  )
  // The open one of the other connection's row stays out of the connection's count.
  await hub.db.query(`update dead_letters set connection_id = 'mute-eu' where source = 'outbox'`)
  await hub.db.query(
    `insert into attempts (connection_id, subject, operation, at, duration_ms, outcome, status, error_code)
     values ('corner-eu', 'outbox:fulfillment.new:F-1', 'send', $1, 1000, 'failed', 504, 'vendor_timeout')`,
    [AT],
  )
}

async function seedSettlements(hub: Hub): Promise<void> {
  const { db, ids } = hub
  for (const [name, difference] of [
    ['po_1', 0],
    ['po_2', 20],
  ] as const) {
    const id = ids.uuid()
    await db.query(
      `insert into settlements (id, connection_id, external_id, status, currency, payout_minor, gross_minor, fee_minor, net_minor, difference_minor,
                                created_at, recorded_at, changed_at)
       values ($1, 'corner-eu', $2, 'paid', 'EUR', 200, 200, 20, 180, $3, $4, $4, $4)`,
      [id, name, difference, AT],
    )
    if (name === 'po_1') continue
    await db.query(
      `insert into settlement_lines (settlement_id, external_id, kind, vendor_type, at, currency, gross_minor, fee_minor, net_minor, match_state)
       values ($1, 'l-1', 'sale', 'charge', $2, 'EUR', 100, 10, 90, 'matched'), ($1, 'l-2', 'sale', 'charge', $2, 'EUR', 100, 10, 90, 'unmatched')`,
      [id, AT],
    )
  }
}
