/** A small sound configuration, the connectors it names, and faults to plant in it. */
import Type from 'typebox'

const closed = { additionalProperties: false } as const
export const connectors = {
  shop: {
    settings: Type.Object(
      {
        domain: Type.String({ minLength: 3 }),
        token: Type.String({ minLength: 8, secret: true }),
        sandbox: Type.Boolean({ default: false }),
        page_size: Type.Optional(Type.Integer({ minimum: 1, maximum: 250 })),
        regions: Type.Optional(
          Type.Array(
            Type.Object(
              {
                code: Type.Union([Type.Literal('eu'), Type.Literal('na')]),
                key: Type.Optional(Type.String({ secret: true })),
              },
              closed,
            ),
          ),
        ),
      },
      closed,
    ),
  },
  depot: { settings: Type.Object({ base_url: Type.String({ format: 'uri' }) }, closed) },
}

export const GOOD = `hub: { port: 8080 }
companies:
  - { id: acme, name: Acme }
  - { id: other, name: Other }
locations:
  - { id: berlin, company: acme, name: Berlin, kind: warehouse, country: DE }
  - id: leeds
    company: acme
    name: Leeds
    kind: 3pl
    country: GB
    connection: depot-uk
  - { id: paris, company: other, name: Paris, kind: store, country: FR }
items:
  - { sku: TENT, company: acme }
  - sku: MAT
    company: acme
  - sku: SET
    company: acme
    kit:
      - { sku: TENT, quantity: 1 }
      - sku: MAT
        quantity: 2
connections:
  - id: shop-eu
    connector: shop
    company: acme
    serves_from: [berlin, leeds]
    settings:
      domain: acme.example
      token: a-very-secret-token
  - id: depot-uk
    connector: depot
    company: acme
    settings: { base_url: 'https://user:hunter2@depot.example/api' }
listings:
  - connection: shop-eu
    channel_sku: X-1
    items: [{ sku: TENT, quantity: 2 }]
`

/** Each plants one fault by replacing a line of GOOD; `line` is the number of that line. */
export const PLANTED: readonly {
  from: string
  to: string
  line: number
  path: string
  message: RegExp
  allowed?: string[]
}[] = [
  {
    from: '    connection: depot-uk\n',
    to: '    connection: depot-uk\n    labels: { connection: post, currency: GBP, ship_from: { line1: A, city: B }, parcel: { unit_weight_g: 1 } }\n',
    line: 13,
    path: 'locations[1].labels.connection',
    message: /the company has no connection "post"/,
    allowed: ['shop-eu', 'depot-uk'],
  },
  { from: 'port: 8080', to: 'port: 70000', line: 1, path: 'hub.port', message: /65535/ },
  {
    from: 'port: 8080',
    to: 'prot: 8080',
    line: 1,
    path: 'hub.prot',
    message: /not a known/,
    allowed: ['host', 'port', 'worker_port', 'public_url', 'log_level', 'environment'],
  },
  {
    from: '{ id: other, name: Other }',
    to: '{ id: acme, name: Other }',
    line: 4,
    path: 'companies[1].id',
    message: /already given in line 3/,
  },
  {
    from: 'kind: warehouse',
    to: 'kind: shed',
    line: 6,
    path: 'locations[0].kind',
    message: /allowed values/,
    allowed: ['warehouse', '3pl', 'store', 'drop_ship'],
  },
  {
    from: '    company: acme\n    name: Leeds',
    to: '    company: nobody\n    name: Leeds',
    line: 8,
    path: 'locations[1].company',
    message: /no company "nobody"/,
    allowed: ['acme', 'other'],
  },
  {
    from: 'country: GB',
    to: 'country: GB\n    timezone: Mars/Base',
    line: 12,
    path: 'locations[1].timezone',
    message: /time zone/,
  },
  {
    from: 'country: GB',
    to: 'country: GB\n    latitude: 5',
    line: 7,
    path: 'locations[1].longitude',
    message: /coordinate/,
  },
  {
    from: 'connection: depot-uk',
    to: 'connection: depot-fr',
    line: 12,
    path: 'locations[1].connection',
    message: /no connection/,
    allowed: ['shop-eu', 'depot-uk'],
  },
  {
    from: 'sku: MAT\n    company: acme',
    to: 'sku: TENT\n    company: acme',
    line: 16,
    path: 'items[1].sku',
    message: /already given in line 15/,
  },
  {
    from: '{ sku: TENT, quantity: 1 }',
    to: '{ sku: SET, quantity: 1 }',
    line: 21,
    path: 'items[2].kit[0].sku',
    message: /kit itself/,
  },
  {
    from: '{ sku: TENT, quantity: 1 }',
    to: '{ sku: TINT, quantity: 1 }',
    line: 21,
    path: 'items[2].kit[0].sku',
    message: /no item "TINT"/,
  },
  {
    from: 'quantity: 2\nconnections',
    to: 'quantity: 2.5\nconnections',
    line: 23,
    path: 'items[2].kit[1].quantity',
    message: /whole number/,
  },
  {
    from: 'connector: shop',
    to: 'connector: shoppe',
    line: 26,
    path: 'connections[0].connector',
    message: /no connector "shoppe"/,
    allowed: ['shop', 'depot'],
  },
  {
    from: '[berlin, leeds]',
    to: '[berlin, rome]',
    line: 28,
    path: 'connections[0].serves_from[1]',
    message: /no location "rome"/,
    allowed: ['berlin', 'leeds'],
  },
  {
    from: '[berlin, leeds]',
    to: '[berlin, paris]',
    line: 28,
    path: 'connections[0].serves_from[1]',
    message: /another company/,
  },
  {
    from: '[berlin, leeds]',
    to: '[berlin, berlin]',
    line: 28,
    path: 'connections[0].serves_from[1]',
    message: /twice/,
  },
  {
    from: 'token: a-very-secret-token',
    to: 'token: short',
    line: 31,
    path: 'connections[0].settings.token',
    message: /fewer than 8/,
  },
  {
    from: 'token: a-very-secret-token',
    to: 'tokn: a-very-secret-token',
    line: 31,
    path: 'connections[0].settings.tokn',
    message: /not a known/,
  },
  {
    from: 'token: a-very-secret-token',
    to: 'token: a-very-secret-token\n      regions:\n        - { code: eu }\n        - code: mars',
    line: 34,
    path: 'connections[0].settings.regions[1].code',
    message: /allowed values/,
    allowed: ['eu', 'na'],
  },
  {
    from: "'https://user:hunter2@depot.example/api'",
    to: 'nowhere',
    line: 35,
    path: 'connections[1].settings.base_url',
    message: /uri/,
  },
  {
    from: 'connection: shop-eu',
    to: 'connection: shop-us',
    line: 37,
    path: 'listings[0].connection',
    message: /no connection/,
  },
  {
    from: '[{ sku: TENT, quantity: 2 }]',
    to: '[{ sku: SOFA, quantity: 2 }]',
    line: 39,
    path: 'listings[0].items[0].sku',
    message: /no item "SOFA"/,
  },
]
