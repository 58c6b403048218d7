import type { ConnectionPolicy, CoreContext } from '../core/context.ts'
import type { Connection, Hub } from '../hub.ts'

/** What a job hands to the core: the time now, and the merchant's choices of every connection. */
export function coreContext(hub: Hub): CoreContext {
  return { now: hub.clock.now(), newId: hub.ids.uuid, vault: hub.vault, policies: policiesOf(hub.connections) }
}

/** Connections do not change while a process runs, so their policies are worked out once. */
const known = new WeakMap<ReadonlyMap<string, Connection>, ReadonlyMap<string, ConnectionPolicy>>()

function policiesOf(connections: ReadonlyMap<string, Connection>): ReadonlyMap<string, ConnectionPolicy> {
  const present = known.get(connections)
  if (present !== undefined) return present
  const policies = new Map([...connections.values()].map((connection) => [connection.id, policyOf(connection)]))
  known.set(connections, policies)
  return policies
}

function policyOf({ id, connector, config }: Connection): ConnectionPolicy {
  const { buffer, cap, share_percent, push } = config.availability
  return {
    connection_id: id,
    company_id: config.company,
    serves_from: config.serves_from,
    listings: config.listings,
    unpaid: config.orders.unpaid,
    hold_minutes: config.orders.hold_minutes,
    shortfall: config.orders.shortfall,
    release_after_seconds: config.orders.release_after_seconds,
    availability: { push: push && connector.availability !== undefined, buffer, cap: cap ?? null, share_percent },
    takes_shipment_notices: connector.shipments !== undefined,
    takes_fulfillment_orders: connector.fulfillment !== undefined,
  }
}
