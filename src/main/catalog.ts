import type { Config } from '../config.ts'
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
  }
}
