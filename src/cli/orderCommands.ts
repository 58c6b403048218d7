import type { Command } from 'commander'
import { decimalFromMinor } from '../core/model/money.ts'
import { listOrders, type OrderShown } from '../core/orders/read.ts'
import { isParked, showOrderOrParked, type ParkedOrder } from '../core/orders/readParked.ts'
import { withDb, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  connection?: string
  limit?: string
}

export function addOrderCommands(program: Command): void {
  const orders = program.command('orders').description('orders of all channels')
  orders
    .command('list')
    .description('the newest orders')
    .option('--connection <id>', 'only of this connection')
    .option('--limit <n>', 'how many (at most 200)', '20')
    .option('--json', 'one JSON document')
    .action(async (_options: ListOptions, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const page = await withDb(options, (db) => listOrders(db, { connection: options.connection, limit: Number(options.limit) }))
      print(options, page, () =>
        table(
          ['number', 'connection', 'lifecycle', 'payment', 'fulfillment', 'reservation', 'received'],
          page.rows.map((row) => [row.number, row.connection_id, row.lifecycle, row.payment_state, row.fulfillment_state, row.reservation_state, row.received_at]),
        ),
      )
    })
  orders
    .command('show')
    .description('one order with its lines, reservations, shipments and timeline; one that is parked with what it waits for')
    .argument('<number|id>', "the shop's number, the channel's id, or the hub's id")
    .option('--json', 'one JSON document')
    .action(async (key: string, _options: CommonOptions, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const order = await withDb(options, (db) => showOrderOrParked(db, key))
      print(options, order, () => (isParked(order) ? parkedText(order) : orderText(order)))
    })
}

function orderText(order: OrderShown): string {
  const total = order.total_minor === null || order.currency === null ? '–' : `${decimalFromMinor(order.total_minor, order.currency)} ${order.currency}`
  return [
    `${order.number ?? order.external_id}  ${order.connection_id}  ${total}`,
    `lifecycle ${order.lifecycle} · payment ${order.payment_state} · fulfillment ${order.fulfillment_state} · reservation ${order.reservation_state}`,
    '',
    table(
      ['line', 'SKU', 'wanted', 'cancelled', 'shipped', 'title'],
      order.lines.map((line) => [line.external_id, line.channel_sku, line.quantity, line.cancelled_quantity, line.shipped_quantity, line.title]),
    ),
    '',
    table(
      ['item', 'location', 'units', 'shipped', 'state', 'work'],
      order.reservations.map((row) => [row.sku, row.location_id, row.quantity, row.consumed_quantity, row.state, row.fulfillment_order]),
    ),
    '',
    table(['at', 'what', 'from'], order.timeline.map((fact) => [fact.at, fact.kind, fact.source])),
  ].join('\n')
}

function parkedText(order: ParkedOrder): string {
  return [
    `${order.number ?? order.external_id}  ${order.connection_id}  parked: ${order.cause_code ?? 'waits for its turn'}`,
    ...(order.cause_detail === null ? [] : [`${order.cause_detail}${order.cause_path === null ? '' : ` (at ${order.cause_path})`}`]),
    order.wake_key === null ? 'waits for a person: replay it once the cause is gone' : `goes on by itself once ${order.wake_key} is there`,
    '',
    table(
      ['message', 'topic', 'from', 'state', 'cause', 'received'],
      order.messages.map((row) => [row.inbox_id, row.topic, row.source, row.state, row.cause_code, row.received_at]),
    ),
  ].join('\n')
}
