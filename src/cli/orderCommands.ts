import type { Command } from 'commander'
import { decimalFromMinor } from '../core/model/money.ts'
import { ORDER_LIFECYCLES } from '../core/model/order.ts'
import { listOrders, type OrderShown } from '../core/orders/read.ts'
import { isParked, showOrderOrParked, type ParkedOrder } from '../core/orders/readParked.ts'
import { choiceOption, connectionOption, cursorOption, limitOption } from './arguments.ts'
import { withDb, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  connection?: string
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
      const order = await withDb(options, (db) => showOrderOrParked(db, key))
      print(options, order, () => (isParked(order) ? parkedText(order) : orderText(order)))
    })
}

async function list(options: ListOptions): Promise<void> {
  const { connection, lifecycle, limit, cursor } = options
  const page = await withDb(options, (db) => listOrders(db, { connection, lifecycle, limit, cursor }))
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
      ['item', 'location', 'units', 'shipped', 'state', 'work'],
      order.reservations.map((row) => [
        row.sku,
        row.location_id,
        row.quantity,
        row.consumed_quantity,
        row.state,
        row.fulfillment_order,
      ]),
    ),
    '',
    table(
      ['at', 'what', 'from'],
      order.timeline.map((fact) => [fact.at, fact.kind, fact.source]),
    ),
  ].join('\n')
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
