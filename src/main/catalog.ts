import type { Config } from '../config.ts'
import type { Tariff } from '../core/fees/tariffs.ts'
import type { Catalog } from '../core/inventory/catalog.ts'

/** The configuration's master data in the core's words. */
export function catalogOf(config: Config): Catalog {
  const companyOf = new Map(config.connections.map((connection) => [connection.id, connection.company]))
  return {
    companies: config.companies,
    locations: config.locations.map((location) => ({
      id: location.id,
      company_id: location.company,
      name: location.name,
      kind: location.kind,
      country: location.country,
      postcode: location.postcode ?? null,
      timezone: location.timezone ?? null,
      latitude: location.latitude ?? null,
      longitude: location.longitude ?? null,
      priority: location.priority ?? 100,
      connection_id: location.connection ?? null,
      external_code: location.external_code ?? null,
      stale_after_minutes: location.stale_after_minutes ?? null,
      count_basis: location.counts ?? 'on_hand',
    })),
    connections: config.connections.map((connection) => ({
      id: connection.id,
      connector: connection.connector,
      company_id: connection.company,
      serves_from: connection.serves_from,
    })),
    items: config.items.map((item) => ({
      company_id: item.company,
      sku: item.sku,
      name: item.name ?? null,
      barcode: item.barcode ?? null,
      lots: item.lots ?? null,
    })),
    kits: config.items.flatMap((item) =>
      item.kit === undefined ? [] : [{ company_id: item.company, sku: item.sku, components: item.kit }],
    ),
    listings: config.listings
      .filter((listing) => companyOf.has(listing.connection))
      .map((listing) => ({
        connection_id: listing.connection,
        channel_sku: listing.channel_sku,
        items: listing.items,
      })),
    stock_rules: config.stock_rules.map(({ company, connection, sku, location, ...fields }) => ({
      company_id: company,
      connection_id: connection ?? null,
      sku: sku ?? null,
      location_id: location ?? null,
      safety_units: fields.safety_units ?? null,
      buffer_units: fields.buffer_units ?? null,
      buffer_percent: fields.buffer_percent ?? null,
      share_percent: fields.share_percent ?? null,
      cap: fields.cap ?? null,
      zero_below: fields.zero_below ?? null,
      backorder: fields.backorder ?? null,
      backorder_units_max: fields.backorder_units_max ?? null,
    })),
  }
}

export const tariffsOf = ({ tariffs }: Config): Tariff[] =>
  tariffs.map(({ connection, valid_to, ...tariff }) => ({
    ...tariff,
    connection_id: connection,
    valid_to: valid_to ?? null,
  }))
