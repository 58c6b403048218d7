import type { Connector, Port, WebhookRequest } from '../../../src/connectors/_kit/define.ts'
import type { ErrorCode } from '../../../src/core/errors.ts'
import type { Stream } from '../../../src/core/model/fact.ts'

/** What one connector brings to the contract that all of them pass (`connectorContract`): samples, a signer, and its exceptions. */
export interface ConnectorContract {
  connector: Connector
  /** Settings that are whole and valid, calling the vendor at `api`. Every secret in them must be at least 6 characters long. */
  settings: (api: string) => Readonly<Record<string, unknown>>
  webhook?: ContractWebhook
  /** Payloads as they come; what each becomes is kept in `golden/<name>.json` beside the test. */
  samples: readonly ContractSample[]
  /** Payloads with a word that no table knows: taken as the safe state, with a warning. */
  unknown_words?: readonly ContractSample[]
  /** Names, addresses and e-mail addresses that are in the samples, to be looked for where they must not be. */
  personal?: readonly string[]
  /** A cheap call; absent: the connector's own `test`. */
  read?: (port: Port) => Promise<unknown>
  /** Requests that the odd vendor answers well whatever it is up to: tokens, version probes. */
  answers?: (request: OddRequest) => { status: number; body: unknown } | undefined
  /** Where the vendor's own meaning of a status differs from the table. */
  codes?: Readonly<Partial<Record<number, readonly ErrorCode[]>>>
  /** Writes without a read-back, and why saying the same again does no harm: `the same file under the same name`. */
  repeatable?: Readonly<Partial<Record<ContractWrite, string>>>
  /** A vendor that says at every page that there is one more. */
  endless?: { stream: Stream; answer: (request: OddRequest, page: number) => unknown }
}

/** Capabilities that change something at the vendor's. */
export const CONTRACT_WRITES = ['fulfillment', 'shipments', 'rates', 'labels', 'announcements', 'orderAnswers', 'invoices', 'erp'] as const // prettier-ignore
export type ContractWrite = (typeof CONTRACT_WRITES)[number]

export interface ContractWebhook {
  /** The message as the vendor would send it at that time, signed under the first or the second live secret. */
  sign: (body: Buffer, at_ms: number, secret: 0 | 1) => WebhookRequest
  /** Two messages that are not the same. */
  bodies: readonly [unknown, unknown]
  /** Where the signature is; null: in the body. */
  header: string | null
  /** How old a signed time may be; absent: the scheme knows no time. */
  age_ms_max?: number
  /** Whether the settings hold two secrets while one is rotated. */
  rotates: boolean
}

export interface ContractSample {
  name: string
  topic: string
  payload: unknown
  /** Of the connection, as the mapping gets them. */
  settings?: Readonly<Record<string, unknown>>
}

export interface OddRequest {
  method: string
  path: string
  headers: Readonly<Record<string, string | undefined>>
  body: string
}

export const OBSERVED_AT = '2026-11-20T12:00:00.000Z'
