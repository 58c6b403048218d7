import { InvalidArgumentError, type Command } from 'commander'
import type { PackedUnits, Word } from '../core/fulfillment/byHand.ts'
import { listWork, showWork, WORK_STATES, type WorkShown } from '../core/fulfillment/read.ts'
import { HubError } from '../core/errors.ts'
import { workByHand } from '../queues/workByHand.ts'
import { actor } from './actor.ts'
import { choiceOption, cursorOption, instantOf, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, printable, table } from './output.ts'

interface ListOptions extends CommonOptions {
  location?: string
  state?: string
  order?: string
  limit: number
  cursor?: string
}

interface SayOptions extends CommonOptions {
  reason: string
  key?: string
  line?: PackedUnits[]
  carrier?: string
  trackingNumber?: string
  trackingUrl?: string
  shippedAt?: Date
}

const REASON_LENGTH_MAX = 300
const NUMBER = 'its number, FO-…'

export function addFulfillmentCommands(program: Command): void {
  const fulfillment = program.command('fulfillment').description('work at places: fulfillment orders, also by hand')
  fulfillment
    .command('list')
    .description('the newest work')
    .option('--location <id>', 'only at this place')
    .addOption(choiceOption('--state <state>', 'only in this state', WORK_STATES))
    .option('--order <number|id>', 'only of this order')
    .addOption(limitOption(20))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      await list(command.optsWithGlobals<ListOptions>())
    })
  fulfillment
    .command('show')
    .description('what is to be packed, what has left, and what was said of it; where it goes is shown by the API only')
    .argument('<number>', NUMBER)
    .action(async (number: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const { person_id, ...work } = await withDb(options, (db) => showWork(db, number))
      print(options, { ...work, has_person: person_id !== null }, () => workText(work))
    })
  addAnswers(fulfillment)
  addShip(fulfillment)
}

function addAnswers(fulfillment: Command): void {
  fulfillment
    .command('accept')
    .description('takes work on')
    .argument('<number>', NUMBER)
    .action((number: string, _options: object, command: Command) => say(number, command, () => ({ kind: 'accept' })))
  fulfillment
    .command('reject')
    .description('gives work back; its units are planned anew at other places')
    .argument('<number>', NUMBER)
    .requiredOption('--reason <text>', 'kept with the work')
    .action((number: string, _options: object, command: Command) =>
      say(number, command, ({ reason }) => ({ kind: 'reject', reason: reason.slice(0, REASON_LENGTH_MAX) })),
    )
  fulfillment
    .command('short')
    .description('says what is not on the shelf: it leaves the work and the stock, and other places serve it')
    .argument('<number>', NUMBER)
    .requiredOption('--line <sku=quantity>', 'what is missing; may be given several times', unitsOf)
    .requiredOption('--reason <text>', 'kept with the work')
    .option('--key <text>', 'the same key again loses nothing more')
    .action((number: string, _options: object, command: Command) =>
      say(number, command, ({ line, reason, key }) => {
        return { kind: 'short', key: key ?? null, reason: reason.slice(0, REASON_LENGTH_MAX), lines: line ?? [] }
      }),
    )
}

function addShip(fulfillment: Command): void {
  fulfillment
    .command('ship')
    .description('reports goods that left: what the lines say, else everything that is still to be packed')
    .argument('<number>', NUMBER)
    .requiredOption('--key <text>', 'your own name of the shipment; the same key again ships nothing twice')
    .option('--line <sku=quantity>', 'what left; may be given several times', unitsOf)
    .option('--carrier <name>', 'who carries it')
    .option('--tracking-number <text>', "the carrier's number")
    .option('--tracking-url <url>', 'where the parcel can be followed')
    .option('--shipped-at <instant>', 'when it left (default: now)', instantOf)
    .action((number: string, _options: object, command: Command) =>
      say(number, command, ({ key, line, carrier, trackingNumber, trackingUrl, shippedAt }) => ({
        kind: 'ship',
        key: key ?? '',
        carrier: carrier ?? null,
        tracking_number: trackingNumber ?? null,
        tracking_url: trackingUrl ?? null,
        shipped_at: shippedAt ?? null,
        lines: line ?? null,
      })),
    )
}

/** `TEA=2`; the last sign counts, because a SKU may hold one itself. */
function unitsOf(text: string, before: readonly PackedUnits[] | undefined): PackedUnits[] {
  const [, sku, quantity] = /^(.{1,200})=([1-9]\d{0,5})$/.exec(text) ?? []
  if (sku === undefined || quantity === undefined) throw new InvalidArgumentError('Write a line like TEA=2.')
  return [...(before ?? []), { sku, quantity: Number(quantity) }]
}

async function say(number: string, command: Command, wordOf: (options: SayOptions) => Word): Promise<void> {
  const options = command.optsWithGlobals<SayOptions>()
  const word = wordOf(options)
  if (word.kind === 'ship' && word.key === '') throw new HubError('bad_request', 'the key is empty')
  const done = await withHub(options, ({ hub }) => workByHand(hub, { number, actor: actor(), word }))
  print(options, { number, ...done }, () =>
    done.outcome === 'applied' ? done.summary : `nothing to do: ${done.summary}`,
  )
}

async function list(options: ListOptions): Promise<void> {
  const { location, state, order, limit, cursor } = options
  const page = await withDb(options, (db) => listWork(db, { location, state, order, limit, cursor }))
  print(options, page, () =>
    table(
      ['number', 'order', 'location', 'state', 'units', 'system', 'created'],
      page.rows.map((row) => [
        row.number,
        row.order_number,
        row.location_id,
        row.cancel_requested_at === null ? row.state : `${row.state}, called back`,
        row.units_to_pack,
        row.connection_id,
        row.created_at,
      ]),
    ),
  )
}

function workText(work: Omit<WorkShown, 'person_id'>): string {
  return [
    `${work.number}  order ${work.order_number ?? work.order_id}  ${work.location_id}  ${work.state}`,
    work.cancel_requested_at === null ? '' : `called back at ${work.cancel_requested_at}`,
    table(
      ['SKU', 'to pack', 'shipped', 'line', 'title'],
      work.lines.map((line) => [line.sku, line.quantity, line.shipped_quantity, line.line_reference, line.title]),
    ),
    ...work.reasons.map(({ at, kind, text }) => `${at} ${kind}: ${printable(text)}`),
    '',
    table(
      ['shipment', 'carrier', 'tracking', 'shipped at', 'units'],
      work.shipments.map((shipment) => [
        shipment.external_id,
        shipment.carrier,
        shipment.tracking_number,
        shipment.shipped_at,
        shipment.lines.map(({ sku, quantity }) => `${quantity} ${sku}`).join(', '),
      ]),
    ),
  ].join('\n')
}
