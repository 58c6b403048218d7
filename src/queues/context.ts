import { internalPolicy, type ConnectionPolicy, type CoreContext } from '../core/context.ts'
import { erpPolicies, type ErpPolicies } from '../core/erp/policy.ts'
import type { Connection, Hub } from '../hub.ts'

/** What a job hands to the core: the time now, and the merchant's choices of every connection. */
export function coreContext(hub: Hub): CoreContext {
  return {
    now: hub.clock.now(),
    newId: hub.ids.uuid,
    vault: hub.vault,
    policies: policiesOf(hub),
    erps: erpsOf(hub),
  }
}

/** Connections do not change while a process runs, so their policies are worked out once. */
const known = new WeakMap<ReadonlyMap<string, Connection>, ReadonlyMap<string, ConnectionPolicy>>()

const knownErps = new WeakMap<Hub['config'], ErpPolicies>()

function erpsOf({ config }: Hub): ErpPolicies {
  const present = knownErps.get(config) ?? erpPolicies(config)
  knownErps.set(config, present)
  return present
}

function policiesOf({
  connections,
  config,
}: Pick<Hub, 'connections' | 'config'>): ReadonlyMap<string, ConnectionPolicy> {
  const present = known.get(connections)
  if (present !== undefined) return present
  const dropShip = new Set(config.locations.filter(({ kind }) => kind === 'drop_ship').map(({ id }) => id))
  const own = [...connections.values()].map((connection) => policyOf(connection, dropShip))
  const internal = config.companies.map(({ id }) => internalPolicy(id))
  const policies = new Map([...own, ...internal].map((policy) => [policy.connection_id, policy]))
  known.set(connections, policies)
  return policies
}

function policyOf({ id, connector, config }: Connection, dropShip: ReadonlySet<string>): ConnectionPolicy {
  const { buffer, buffer_percent, cap, share_percent, zero_below, adaptive, push } = config.availability
  return {
    connection_id: id,
    company_id: config.company,
    serves_from: config.serves_from,
    last_resort: config.serves_from.filter((location) => dropShip.has(location)),
    listings: config.listings,
    unpaid: config.orders.unpaid,
    hold_minutes: config.orders.hold_minutes,
    shortfall: config.orders.shortfall,
    release_after_seconds: config.orders.release_after_seconds,
    priority: config.orders.priority,
    ship_within_hours: config.orders.ship_within_hours ?? null,
    service_levels: config.orders.service_levels ?? {},
    personal_data_days:
      config.orders.personal_data_days_after_delivery ?? connector.personal_data?.days_after_delivery ?? null,
    holds: config.holds,
    availability: {
      push: push && connector.availability !== undefined,
      buffer,
      buffer_percent: buffer_percent ?? 0,
      cap: cap ?? null,
      share_percent,
      zero_below: zero_below ?? 0,
      adaptive: adaptive.enabled ? { oversell_weight: adaptive.oversell_weight, units_max: adaptive.units_max } : null,
    },
    takes_shipment_notices: connector.shipments !== undefined,
    takes_fulfillment_orders: connector.fulfillment !== undefined,
    takes_order_answers: connector.orderAnswers !== undefined,
    takes_invoices: connector.invoices !== undefined,
    takes_announcements: connector.announcements !== undefined,
  }
}
