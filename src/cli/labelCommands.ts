import { existsSync, writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { readLabelFile } from '../core/labels/documents.ts'
import { listLabels, showLabel, type LabelShown } from '../core/labels/read.ts'
import { decimalFromMinor } from '../core/model/money.ts'
import { PARCEL_STATES } from '../core/model/label.ts'
import { writeAudit } from '../db/audit.ts'
import type { Hub } from '../hub.ts'
import {
  giveBackByHand,
  goWithoutLabel,
  purchaseByHand,
  ratesByHand,
  type LabelAnswer,
} from '../queues/labelsByHand.ts'
import { actor } from './actor.ts'
import { choiceOption, cursorOption, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, printable, table } from './output.ts'

interface ListOptions extends CommonOptions {
  state?: string
  connection?: string
  location?: string
  fulfillment?: string
  limit: number
  cursor?: string
}

const NAME = "its reference, or the number of its fulfillment order for the newest one's"
const WORK = 'its number, FO-…'

export function addLabelCommands(program: Command): void {
  const labels = program.command('labels').description('parcels and their labels: offers, purchases, refunds, files')
  labels
    .command('list')
    .description('the newest parcels')
    .addOption(choiceOption('--state <state>', 'only in this state', PARCEL_STATES))
    .option('--connection <id>', 'only those bought with this connection')
    .option('--location <id>', 'only from this place')
    .option('--fulfillment <number>', 'only of this fulfillment order')
    .addOption(limitOption(20))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      await list(command.optsWithGlobals<ListOptions>())
    })
  labels
    .command('show')
    .description('one parcel: what was offered, why which was taken, and where it is')
    .argument('<parcel>', NAME)
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const label = await withDb(options, (db) => showLabel(db, name))
      print(options, label, () => labelText(label))
    })
  addFile(labels)
  addDecisions(labels)
}

function addDecisions(labels: Command): void {
  labels
    .command('rates')
    .description('asks carriers what they would take for the parcel of this work; nothing is bought')
    .argument('<fulfillment-order>', WORK)
    .option('--anew', 'also where offers are known')
    .action((number: string, given: { anew?: boolean }, command: Command) => {
      const offers = given.anew === true ? 'anew' : 'known'
      return decide(command, (hub) => ratesByHand(hub, { number, offers, actor: actor() }))
    })
  labels
    .command('buy')
    .description('buys one of the offers')
    .argument('<parcel>', NAME)
    .option('--rate <id>', 'which; left out: the one that the rules would take')
    .action((name: string, given: { rate?: string }, command: Command) =>
      decide(command, (hub) => purchaseByHand(hub, { name, rate: given.rate ?? null, actor: actor() })),
    )
  labels
    .command('void')
    .description('gives a label back; work that has not left waits for another one')
    .argument('<parcel>', NAME)
    .action((name: string, _given: object, command: Command) =>
      decide(command, (hub) => giveBackByHand(hub, { name, actor: actor() })),
    )
  labels
    .command('skip')
    .description('lets work leave without a label')
    .argument('<fulfillment-order>', WORK)
    .action((number: string, _given: object, command: Command) =>
      decide(command, (hub) => goWithoutLabel(hub, { number, actor: actor() })),
    )
}

function addFile(labels: Command): void {
  labels
    .command('file')
    .description("writes a label's file; it carries a name and an address, so this is written into the audit log")
    .argument('<parcel>', NAME)
    .option('--out <path>', 'where to; left out: under its own name, here')
    .option('--name <name>', 'which file, where there are several')
    .action(async (name: string, given: { out?: string; name?: string }, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const saved = await withHub(options, ({ hub }) => save(hub, name, given))
      print(options, saved, () => `${saved.bytes} bytes in ${saved.path}`)
    })
}

async function save(
  hub: Hub,
  name: string,
  given: { out?: string; name?: string },
): Promise<{ reference: string; path: string; content_type: string; bytes: number }> {
  const label = await showLabel(hub.db, name)
  const data = { parcel: label.reference }
  const entry = { at: hub.clock.now(), actor: actor(), action: 'label.read', subject: `order:${label.order_id}`, data }
  await writeAudit(hub.db, entry)
  const file = await readLabelFile(hub.db, hub.vault, label, given.name)
  const path = given.out ?? file.name.replaceAll(/[^\w.-]/g, '_')
  if (existsSync(path)) throw new HubError('conflict', `${path} is there already`, { hint: 'name another with --out' })
  writeFileSync(path, file.bytes, { mode: 0o600, flag: 'wx' })
  return { reference: label.reference, path, content_type: file.content_type, bytes: file.bytes.length }
}

async function decide(command: Command, work: (hub: Hub) => Promise<LabelAnswer>): Promise<void> {
  const options = command.optsWithGlobals<CommonOptions>()
  const { outcome, label } = await withHub(options, ({ hub }) => work(hub))
  print(options, { outcome, label }, () => {
    const said = outcome === 'applied' ? '' : 'nothing to do\n'
    return label === null ? `${said}the work leaves without a label` : `${said}${labelText(label)}`
  })
}

async function list(options: ListOptions): Promise<void> {
  const { state, connection, location, fulfillment, limit, cursor } = options
  const filter = { state, connection, location, fulfillment_order: fulfillment, limit, cursor }
  const page = await withDb(options, (db) => listLabels(db, filter))
  print(options, page, () =>
    table(
      ['parcel', 'order', 'location', 'state', 'carrier', 'service', 'amount', 'tracking', 'created'],
      page.rows.map((row) => [
        row.reference,
        row.order_number,
        row.location_id,
        row.fault === null ? row.state : `${row.state}, see its case`,
        row.carrier,
        row.service,
        amountText(row),
        row.tracking_number,
        row.created_at,
      ]),
    ),
  )
}

const amountText = ({ amount_minor, currency }: { amount_minor: number | null; currency: string | null }): string =>
  amount_minor === null || currency === null ? '' : `${decimalFromMinor(amount_minor, currency)} ${currency}`

function labelText(label: LabelShown): string {
  const { choice, scans, files } = label
  const size = label.size_mm === null ? '' : `, ${label.size_mm.join('x')} mm`
  return [
    `${label.reference}  order ${label.order_number ?? label.order_id}  ${label.location_id}  ${label.state}`,
    `${label.weight_g} g${size}, with ${label.connection_id}`,
    label.fault === null ? '' : `no label: ${printable(label.fault)}`,
    label.tracking_number === null ? '' : `${label.carrier ?? ''} ${label.service ?? ''}, ${amountText(label)}: ${label.tracking_number}`, // prettier-ignore
    files.map(({ name, bytes }) => `file ${name}, ${bytes} bytes`).join('\n'),
    choice === null ? '' : offersText(choice),
    scans.length === 0 ? '' : table(['at', 'status', 'code', 'place'], scans.map(({ at, status, code, place }) => [at, status, code, place])), // prettier-ignore
  ]
    .filter((line) => line !== '')
    .join('\n')
}

function offersText({ by, rule, rate, offered }: NonNullable<LabelShown['choice']>): string {
  const rows = offered.map((offer) => [
    offer.external_id === rate ? `taken by ${by === 'hand' ? 'hand' : `rule "${rule}"`}` : (offer.out ?? ''),
    offer.external_id,
    offer.carrier,
    offer.service,
    amountText(offer),
    offer.days,
  ])
  return table(['', 'rate', 'carrier', 'service', 'amount', 'days'], rows)
}
