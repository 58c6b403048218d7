import type { Fact, FactKind } from './model/fact.ts'
import type { Payment, Refund } from './model/payment.ts'

type Names = { [K in FactKind]?: (document: Extract<Fact, { kind: K }>['document']) => readonly (string | null)[] }

const named = (kind: 'order' | 'number' | 'payment' | 'parcel', text: string | null): string | null =>
  text === null ? null : `${kind}:${text}`
export const parcelName = (tracking_number: string): string => `parcel:${tracking_number}`

const ofMoney = ({ external_id, references }: Payment | Refund): (string | null)[] => [
  named('order', references.order_external_id),
  named('number', references.order_number),
  ...[external_id, ...references.payment_ids].map((id) => named('payment', id)),
]
const ofParcel = ({ tracking_number }: { tracking_number: string | null }): (string | null)[] => [
  named('parcel', tracking_number),
]

/** By which names orders and parcels are looked for: by those who bring one, and by those who may not find it. */
const NAMES: Names = {
  order: ({ external_id, number, payment_ids }) => [
    named('order', external_id),
    named('number', number),
    ...payment_ids.map((id) => named('payment', id)),
  ],
  payment: ofMoney,
  refund: ofMoney,
  shipment: ofParcel,
  tracking_event: ofParcel,
}

/** Pure: every name once. */
export function namesOf(facts: readonly Fact[]): string[] {
  const names = facts.flatMap(({ kind, document }) => (NAMES[kind] as ((of: unknown) => (string | null)[]) | undefined)?.(document) ?? []) // prettier-ignore
  return [...new Set(names.filter((name) => name !== null))]
}
