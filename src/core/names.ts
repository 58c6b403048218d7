import type { Fact, FactKind } from './model/fact.ts'
import type { Payment, Refund } from './model/payment.ts'

type Names = { [K in FactKind]?: (document: Extract<Fact, { kind: K }>['document']) => readonly (string | null)[] }

const ofMoney = ({ external_id, references }: Payment | Refund): (string | null)[] => [
  id(references.order_external_id),
  number(references.order_number),
  ...[external_id, ...references.payment_ids].map(money),
]
const id = (text: string | null): string | null => (text === null ? null : `order:${text}`)
const number = (text: string | null): string | null => (text === null ? null : `number:${text}`)
const money = (text: string): string => `payment:${text}`
export const parcelName = (tracking_number: string): string => `parcel:${tracking_number}`
const parcel = (text: string | null): string | null => (text === null ? null : parcelName(text))

/** By which names orders and parcels are looked for: by those who bring one, and by those who may not find it. */
const NAMES: Names = {
  order: (order) => [id(order.external_id), number(order.number ?? order.external_id), ...order.payment_ids.map(money)],
  payment: ofMoney,
  refund: ofMoney,
  shipment: ({ tracking_number }) => [parcel(tracking_number)],
  tracking_event: ({ tracking_number }) => [parcel(tracking_number)],
}

/** Pure: every name once. */
export function namesOf(facts: readonly Fact[]): string[] {
  const names = facts.flatMap(({ kind, document }) => (NAMES[kind] as ((of: unknown) => (string | null)[]) | undefined)?.(document) ?? []) // prettier-ignore
  return [...new Set(names.filter((name) => name !== null))]
}
