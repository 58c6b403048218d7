/** What a simulated 3PL knows, folded from its journal. Pure: time and chance are in the events. */

export interface Units {
  sku: string
  quantity: number
}

export interface WorkLine extends Units {
  line_reference: string
}

/** A file for the hub, decided together with what it reports, so that a crash between the two forgets neither. */
export interface Dispatch {
  name: string
  text: string
  /** Unix ms before which it is not put into the folder: reports are often written later than what they report. */
  not_before_ms: number
  /** Its totals are wrong on purpose; what it says follows in another file. */
  wrong?: true
}

/** What the parcel is to leave with, where it was sent along. */
export interface GivenLabel {
  carrier: string
  tracking_number: string
  file: string
}

export interface Answer {
  action: 'NEW' | 'CANCEL'
  fulfillment_order: string
  order_number: string
  lines: WorkLine[]
  label?: GivenLabel
  verdict: 'accepted' | 'rejected' | 'cancelled'
  reason: string
  refused_units: number
}

export interface Parcel {
  shipment_id: string
  fulfillment_order: string
  tracking_number: string
  carrier: string
  /** It left with a label that came with the work. */
  given?: boolean
  shipped_at: string
  lines: WorkLine[]
  /** Units that were on the books but not on the shelf. */
  lost: Units[]
  /** Nothing more is to come for this work. */
  last: boolean
}

export type Event =
  | { kind: 'opened'; stock: Record<string, number> }
  | { kind: 'received'; file: string; at_ms: number; due_ms: number; answers: Answer[]; dispatches: Dispatch[] }
  | { kind: 'refused_file'; file: string }
  | { kind: 'shipped'; at_ms: number; next_due_ms: number; parcels: Parcel[]; dispatches: Dispatch[] }
  | { kind: 'counted'; at_ms: number; dispatches: Dispatch[] }
  | { kind: 'arrived'; at_ms: number; lines: Units[]; reference?: string; dispatches: Dispatch[] }
  | { kind: 'adjusted'; at_ms: number; lines: Units[]; dispatches: Dispatch[] }
  | { kind: 'wrote'; name: string }
  | { kind: 'ack_read'; name: string; accepted: number; rejected: number }

export interface Work {
  fulfillment_order: string
  order_number: string
  lines: WorkLine[]
  /** How often the hub sent it as new; more than once is a doubled effect. */
  times: number
  state: 'accepted' | 'rejected' | 'cancelled' | 'shipped'
  remaining: WorkLine[]
  parcels: number
  due_ms: number
  /** When it first came. */
  received_ms: number
  label?: GivenLabel
}

/** Goods that came in at the dock. */
export interface Arrival {
  at_ms: number
  reference: string
  lines: Units[]
  /** Units of the same items that lay here before. */
  before: Readonly<Record<string, number>>
}

export interface Ledger {
  opened: boolean
  on_hand: Map<string, number>
  work: Map<string, Work>
  parcels: Parcel[]
  files: Set<string>
  refused_files: string[]
  waiting: Map<string, Dispatch>
  /** Names of files with wrong totals. */
  wrong_files: string[]
  acks: { name: string; accepted: number; rejected: number }[]
  refused_units: number
  sequences: Map<string, number>
  arrivals: Arrival[]
  /** No two movements happen in one millisecond, so that "before" and "after" a count are never in doubt. */
  last_ms: number
  last_count_ms: number
}

export function emptyLedger(): Ledger {
  return {
    opened: false, on_hand: new Map(), work: new Map(), parcels: [], files: new Set(), refused_files: [], waiting: new Map(), wrong_files: [], acks: [],
    refused_units: 0, sequences: new Map(), arrivals: [], last_ms: 0, last_count_ms: 0,
  } // prettier-ignore
}

/** Books one event. The ledger is the only thing that changes. */
export function book(ledger: Ledger, event: Event): void {
  if ('at_ms' in event) ledger.last_ms = Math.max(ledger.last_ms, event.at_ms)
  if ('dispatches' in event) for (const dispatch of event.dispatches) noteDispatch(ledger, dispatch)
  switch (event.kind) {
    case 'opened':
      ledger.opened = true
      for (const [sku, quantity] of Object.entries(event.stock)) ledger.on_hand.set(sku, quantity)
      return
    case 'received':
      ledger.files.add(event.file)
      for (const answer of event.answers) bookAnswer(ledger, answer, event)
      return
    case 'refused_file':
      ledger.refused_files.push(event.file)
      return
    case 'shipped':
      for (const parcel of event.parcels) bookParcel(ledger, parcel, event.next_due_ms)
      return
    case 'counted':
      ledger.last_count_ms = event.at_ms
      return
    case 'arrived':
      ledger.arrivals.push(arrivalOf(ledger, event))
      for (const { sku, quantity } of event.lines) move(ledger, sku, quantity)
      return
    case 'adjusted':
      for (const { sku, quantity } of event.lines) move(ledger, sku, quantity)
      return
    case 'wrote':
      ledger.waiting.delete(event.name)
      return
    case 'ack_read':
      ledger.acks.push({ name: event.name, accepted: event.accepted, rejected: event.rejected })
      return
  }
}

function noteDispatch(ledger: Ledger, dispatch: Dispatch): void {
  ledger.waiting.set(dispatch.name, dispatch)
  if (dispatch.wrong === true) ledger.wrong_files.push(dispatch.name)
  const [, type, sequence] =
    /^([a-z_]+)_[a-z0-9-]+_\w+_(\d+)\.csv$/.exec(dispatch.name) ?? /^(edi)_(\d{9})_\w+\.edi$/.exec(dispatch.name) ?? []
  if (type !== undefined) ledger.sequences.set(type, Math.max(ledger.sequences.get(type) ?? 0, Number(sequence)))
}

function arrivalOf(ledger: Ledger, { at_ms, lines, reference = '' }: Extract<Event, { kind: 'arrived' }>): Arrival {
  const before = Object.fromEntries(lines.map(({ sku }) => [sku, ledger.on_hand.get(sku) ?? 0]))
  return { at_ms, reference, lines, before }
}

function bookAnswer(ledger: Ledger, answer: Answer, { at_ms, due_ms }: { at_ms: number; due_ms: number }): void {
  const { fulfillment_order, order_number, lines, verdict } = answer
  const known = ledger.work.get(fulfillment_order)
  ledger.refused_units += answer.refused_units
  if (known === undefined) {
    const remaining = verdict === 'accepted' ? lines : []
    const times = answer.action === 'NEW' ? 1 : 0
    ledger.work.set(fulfillment_order, {
      fulfillment_order,
      order_number,
      lines,
      times,
      state: verdict,
      remaining,
      parcels: 0,
      due_ms,
      received_ms: at_ms,
      ...(answer.label === undefined ? {} : { label: answer.label }),
    })
  } else if (answer.action === 'NEW') {
    known.times += 1
    if (known.lines.length === 0) known.lines = lines
  } else if (verdict === 'cancelled') {
    known.state = 'cancelled'
    known.remaining = []
  }
}

function bookParcel(ledger: Ledger, parcel: Parcel, next_due_ms: number): void {
  ledger.parcels.push(parcel)
  for (const { sku, quantity } of [...parcel.lines, ...parcel.lost]) move(ledger, sku, -quantity)
  const work = ledger.work.get(parcel.fulfillment_order)
  if (work === undefined) return
  work.parcels += 1
  work.due_ms = next_due_ms
  work.remaining = parcel.last ? [] : minus(work.remaining, parcel.lines)
  if (parcel.last) work.state = 'shipped'
}

function move(ledger: Ledger, sku: string, delta: number): void {
  ledger.on_hand.set(sku, (ledger.on_hand.get(sku) ?? 0) + delta)
}

function minus(lines: readonly WorkLine[], taken: readonly WorkLine[]): WorkLine[] {
  const left = new Map(taken.map((line) => [`${line.line_reference} ${line.sku}`, line.quantity]))
  return lines.flatMap((line) => {
    const quantity = line.quantity - (left.get(`${line.line_reference} ${line.sku}`) ?? 0)
    return quantity > 0 ? [{ ...line, quantity }] : []
  })
}

/** Units on the shelf that no accepted work is waiting for. */
export function freeUnits(ledger: Ledger): Map<string, number> {
  const free = new Map(ledger.on_hand)
  for (const { state, remaining } of ledger.work.values()) {
    if (state === 'accepted') for (const { sku, quantity } of remaining) free.set(sku, (free.get(sku) ?? 0) - quantity)
  }
  return free
}

/**
 * What the 3PL says to one piece of work. It takes on only what it physically has; the same work sent again is the same work; a recall
 * is honoured until the first parcel has left, also when it overtakes the work itself. `free` is used up by what is accepted.
 */
export function answerTo(
  ledger: Ledger,
  order: Pick<Answer, 'action' | 'fulfillment_order' | 'order_number' | 'lines' | 'label'>,
  free: Map<string, number>,
): Answer {
  const known = ledger.work.get(order.fulfillment_order)
  const say = (verdict: Answer['verdict'], reason: string, refused_units = 0): Answer => ({
    ...order,
    verdict,
    reason,
    refused_units,
  })
  if (order.action === 'CANCEL') {
    if (known === undefined || known.state === 'cancelled') return say('cancelled', '')
    if (known.state === 'rejected') return say('cancelled', 'was never taken on')
    return known.parcels > 0 ? say('accepted', 'too late, already shipped') : say('cancelled', '')
  }
  if (known !== undefined) return known.state === 'shipped' ? say('accepted', 'known') : say(known.state, 'known')
  const needs = new Map<string, number>()
  for (const { sku, quantity } of order.lines) needs.set(sku, (needs.get(sku) ?? 0) + quantity)
  const lacking = [...needs].reduce(
    (sum, [sku, units]) => sum + Math.max(0, units - Math.max(0, free.get(sku) ?? 0)),
    0,
  )
  if (lacking > 0) return say('rejected', 'not enough stock', lacking)
  for (const [sku, units] of needs) free.set(sku, (free.get(sku) ?? 0) - units)
  return say('accepted', '')
}
