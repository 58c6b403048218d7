import type { Command } from 'commander'
import { decimalFromMinor } from '../core/model/money.ts'
import { ORDER_LIFECYCLES } from '../core/model/order.ts'
import { HOLD_REASONS, placeOnHold, releaseFromHold, type HoldReason } from '../core/orders/hold.ts'
import { listOrders, ORDER_KINDS, type OrderKind, type OrderShown } from '../core/orders/read.ts'
import { isParked, showOrderOrParked, type ParkedOrder } from '../core/orders/readParked.ts'
import { inTransaction } from '../db/transaction.ts'
import { coreContext } from '../queues/context.ts'
import { wakePushes } from '../queues/wake.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption, cursorOption, limitOption } from './arguments.ts'
import { expectedText } from './expected.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  connection?: string
  kind?: OrderKind
  lifecycle?: string
  limit: number
  cursor?: string
}

export function addOrderCommands(program: Command): void {
  const orders = program.command('orders').description('orders of all channels')
  orders
    .command('list')
    .description('the newest orders')
    .addOption(connectionOption())
    .addOption(choiceOption('--kind <kind>', 'orders of channels (default), or transfers between places', ORDER_KINDS))
    .addOption(choiceOption('--lifecycle <state>', 'only in this state', ORDER_LIFECYCLES))
    .addOption(limitOption(20))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      await list(command.optsWithGlobals<ListOptions>())
    })
  orders
    .command('show')
    .description(
      'one order with its lines, promises, shipments and timeline; one that is parked with what it waits for',
    )
    .argument('<number|id>', "the shop's number, the channel's id, or the hub's id")
    .action(async (key: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const order = await withHub(options, ({ hub }) => showOrderOrParked(hub.db, coreContext(hub), key))
      print(options, order, () => (isParked(order) ? parkedText(order) : orderText(order)))
    })
  addHoldCommands(orders)
}

function addHoldCommands(orders: Command): void {
  orders
    .command('hold')
    .description('stops an order: what has not left stays here, and what is held for money does not expire')
    .argument('<number|id>', "the shop's number, the channel's id, or the hub's id")
    .addOption(choiceOption('--reason <reason>', 'why', HOLD_REASONS).makeOptionMandatory())
    .action(async (key: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { reason: HoldReason }>()
      const answer = await withHub(options, ({ hub }) =>
        inTransaction(hub.db, (tx) => placeOnHold(tx, coreContext(hub), key, options.reason, actor())),
      )
      print(options, answer, () => `${answer.number ?? answer.order_id} is on hold: ${answer.hold_reason ?? ''}`)
    })
  orders
    .command('release')
    .description("lets an order go on: what had not left is planned anew from today's stock")
    .argument('<number|id>', "the shop's number, the channel's id, or the hub's id")
    .action(async (key: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const answer = await withHub(options, async ({ hub }) => {
        const released = await inTransaction(hub.db, (tx) => releaseFromHold(tx, coreContext(hub), key, actor()))
        if (released.changed) await wakePushes(hub)
        return released
      })
      const name = answer.number ?? answer.order_id
      print(options, answer, () => (answer.changed ? `${name} goes on` : `${name} was not on hold`))
    })
}

async function list(options: ListOptions): Promise<void> {
  const { connection, kind, lifecycle, limit, cursor } = options
  const page = await withDb(options, (db) => listOrders(db, { connection, kind, lifecycle, limit, cursor }))
  print(options, page, () =>
    table(
      ['number', 'connection', 'lifecycle', 'payment', 'fulfillment', 'reservation', 'received'],
      page.rows.map((row) => [
        row.number,
        row.connection_id,
        row.lifecycle,
        row.payment_state,
        row.fulfillment_state,
        row.reservation_state,
        row.received_at,
      ]),
    ),
  )
}

function orderText(order: OrderShown): string {
  const { total_minor, currency } = order
  const total =
    total_minor === null || currency === null ? '–' : `${decimalFromMinor(total_minor, currency)} ${currency}`
  return [
    `${order.number ?? order.external_id}  ${order.connection_id}  ${total}`,
    [
      `lifecycle ${order.lifecycle}`,
      `payment ${order.payment_state}`,
      `fulfillment ${order.fulfillment_state}`,
      `reservation ${order.reservation_state}`,
      ...(order.ship_by === null ? [] : [`ship by ${order.ship_by}`]),
      ...(order.delivered_at === null ? [] : [`delivered ${order.delivered_at}`]),
      ...(order.service_level === null ? [] : [`service level ${order.service_level}`]),
      ...(order.hold_reason === null ? [] : [`on hold: ${order.hold_reason}`]),
    ].join(' · '),
    '',
    table(
      ['line', 'SKU', 'wanted', 'cancelled', 'shipped', 'title'],
      order.lines.map((line) => [
        line.external_id,
        line.channel_sku,
        line.quantity,
        line.cancelled_quantity,
        line.shipped_quantity,
        line.title,
      ]),
    ),
    '',
    table(
      ['item', 'location', 'units', 'shipped', 'state', 'work', 'expected'],
      order.reservations.map((row) => [
        row.sku,
        row.location_id,
        row.quantity,
        row.consumed_quantity,
        row.backordered ? `${row.state} (backordered)` : row.state,
        row.fulfillment_order,
        expectedText(row.expected),
      ]),
    ),
    '',
    table(
      ['at', 'what', 'from'],
      order.timeline.map((fact) => [fact.at, fact.kind, fact.source]),
    ),
    ...order.timeline.flatMap(routingText),
  ].join('\n')
}

/** Why it is served from where it is, as the rules decided each time. */
function routingText({ kind, at, data }: OrderShown['timeline'][number]): string[] {
  if (kind !== 'routing.decided') return []
  const { version, rule, outcome, considered } = data
  const verdicts = (Array.isArray(considered) ? considered : []) as { location_id: string; verdict: string }[]
  return [
    '',
    `${at}  routing rules, version ${String(version)}, ${String(rule)}: ${String(outcome)}`,
    ...verdicts.map(({ location_id, verdict }) => `  ${location_id}: ${verdict}`),
  ]
}

function parkedText(order: ParkedOrder): string {
  const { cause_code, cause_detail, cause_path, wake_key } = order
  const cause = cause_detail === null ? [] : [`${cause_detail}${cause_path === null ? '' : ` (at ${cause_path})`}`]
  return [
    `${order.number ?? order.external_id}  ${order.connection_id}  parked: ${cause_code ?? 'waits for its turn'}`,
    ...cause,
    wake_key === null
      ? 'waits for a person: replay it once the cause is gone'
      : `goes on by itself once ${wake_key} is there`,
    '',
    table(
      ['message', 'topic', 'from', 'state', 'cause', 'received'],
      order.messages.map((row) => [row.inbox_id, row.topic, row.source, row.state, row.cause_code, row.received_at]),
    ),
  ].join('\n')
}
