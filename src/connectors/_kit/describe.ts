import { STREAMS } from '../../core/model/fact.ts'
import type { Connector } from './define.ts'

/** What a connector's literal says of it, in words: for the catalogue (`docs/connectors`) and `crossdock connectors`. */
export interface ConnectorDescription {
  id: string
  label: string
  kind: Connector['kind']
  grade: Connector['grade']
  /** What that grade means. */
  proven_against: string
  auth: string | null
  limit: string | null
  test: string
  in: CapabilityText[]
  out: CapabilityText[]
  /** Words of `crossdock preview`. */
  topics: string[]
  webhook_topics: string[]
  /** Formats of payout files, as `crossdock settlement check` knows them. */
  settlement_formats: string[]
}

export interface CapabilityText {
  name: string
  how: string
}

const GRADES: Readonly<Record<Connector['grade'], string>> = {
  fixtures: "the vendor's published samples",
  simulator: 'a simulator that speaks its protocol',
  sandbox_account: "the vendor's own test account",
}

/** Capabilities that tell the vendor something, by what people call it. */
const EFFECTS = {
  fulfillment: 'work',
  shipments: 'shipments',
  rates: 'rates of carriers',
  labels: 'labels',
  announcements: 'goods on their way',
  orderAnswers: 'answers to orders',
  invoices: 'invoices',
  erp: 'documents for the ERP',
} as const

/** Pure: the description of a literal. */
export function describeConnector(connector: Connector): ConnectorDescription {
  const { id, label, kind, grade } = connector
  return {
    id,
    label,
    kind,
    grade,
    proven_against: GRADES[grade],
    auth: authOf(connector),
    limit: limitOf(connector),
    test: testOf(connector),
    in: incoming(connector),
    out: outgoing(connector),
    topics: Object.keys(connector.inbound),
    webhook_topics: [...(connector.webhook?.topics ?? [])],
    settlement_formats: (connector.settlements?.formats ?? []).map((format) => format.id),
  }
}

function authOf({ http, files }: Connector): string | null {
  if (http !== undefined)
    return http.token === undefined ? 'credentials in the headers' : 'OAuth 2.0, tokens fetched and renewed by the hub'
  return files === undefined ? null : 'folder or SFTP'
}

/** The limit that a connection has when its settings say nothing else. */
function limitOf({ http }: Connector): string | null {
  if (http === undefined) return null
  const { calls, per_ms } = http.limit({})
  const tighter = http.limits === undefined ? '' : '; single operations have tighter ones'
  return `${calls} calls in ${per_ms} ms by default, shared by all processes${tighter}`
}

function testOf({ test, selfTest }: Connector): string {
  if (test === undefined && selfTest === undefined) return 'not possible'
  return selfTest === undefined ? 'one cheap call' : 'rights, clocks and keys are looked at, too'
}

function incoming(connector: Connector): CapabilityText[] {
  const { webhook, pull, files, messages, settlements, statements } = connector
  const streams = STREAMS.filter((stream) => pull?.[stream] !== undefined)
  return [
    ...(webhook === undefined ? [] : [{ name: 'webhooks', how: 'at `/webhooks/<connection>`, signature checked' }]),
    ...(messages === undefined ? [] : [{ name: 'queue', how: "the vendor's own, read and emptied by the hub" }]),
    ...streams.map((stream) => ({ name: `pull of ${stream}`, how: `\`pull.${stream}_every_seconds\`` })),
    ...(settlements?.reports === undefined
      ? []
      : [{ name: 'payout reports', how: '`pull.reports_every_seconds`; imported as files' }]),
    ...(files === undefined
      ? []
      : [{ name: 'files', how: 'from a folder or over SFTP; the README shows their layout' }]),
    ...(settlements === undefined ? [] : [{ name: 'payout files', how: '`crossdock settlement import`' }]),
    ...(statements === undefined ? [] : [{ name: 'bank statements', how: '`crossdock bank import`' }]),
  ]
}

const units = (count: number): string => (count === 1 ? 'one a call' : `up to ${count} a call`)

function outgoing(connector: Connector): CapabilityText[] {
  const { availability } = connector
  const shown = availability === undefined ? [] : [{ name: 'availability', how: availabilityText(availability) }]
  const told = Object.entries(EFFECTS).flatMap(([capability, name]) => {
    const effect = connector[capability as keyof typeof EFFECTS]
    if (effect === undefined) return []
    const settled =
      effect.confirm === undefined ? 'repeated under its key' : 'an unknown outcome is settled by reading back'
    return [{ name, how: `${units(effect.batch_max)}; ${settled}` }]
  })
  return [...shown, ...told]
}

function availabilityText({ batch_max, compare_and_set, read }: NonNullable<Connector['availability']>): string {
  const way = compare_and_set ? 'compare-and-set' : 'absolute, without compare-and-set'
  return [units(batch_max), way, ...(read === undefined ? [] : ['read back'])].join('; ')
}
