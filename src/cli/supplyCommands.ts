import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { PurchaseDocument, ReceiptDocument, TransferDocument } from '../core/model/supply.ts'
import { checker, type Check } from '../core/model/validate.ts'
import { listSupplies, showSupply, type SupplyShown } from '../core/supply/read.ts'
import { endSupply, putPurchase, putTransfer, receiveGoods, type SupplyAnswer } from '../queues/suppliesByHand.ts'
import { actor } from './actor.ts'
import { choiceOption, cursorOption, limitOption } from './arguments.ts'
import { readInput } from './input.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  kind?: SupplyShown['kind']
  state?: SupplyShown['state']
  location?: string
  sku?: string
  limit: number
  cursor?: string
}

type FileOptions = CommonOptions & { file: string }

const NAME = ['<supply>', "its reference, or the hub's id"] as const

export function addSupplyCommands(program: Command): void {
  const supply = program.command('supply').description('what is on its way in: purchases, and transfers to receive')
  addList(supply, null)
  addShow(supply)
  addPut(supply)
  addReceive(supply)
  addCancel(supply, 'purchase', 'the rest of a purchase is not expected any more')
  const transfer = program.command('transfer').description('units that one of our places sends to another')
  addList(transfer, 'transfer')
  addCreate(transfer)
  addCancel(transfer, 'transfer', 'what has not left stays; work that was sent is asked back')
}

function addList(parent: Command, kind: 'transfer' | null): void {
  const list = parent.command('list').description('the newest first')
  if (kind === null) list.addOption(choiceOption('--kind <kind>', 'only of this kind', ['purchase', 'transfer']))
  list
    .addOption(choiceOption('--state <state>', 'only in this state', ['open', 'received', 'cancelled']))
    .option('--location <id>', 'only those expected there')
    .option('--sku <sku>', 'only those with this item')
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { state, location, sku, limit, cursor } = options
      const filter = { kind: kind ?? options.kind, state, location, sku, limit, cursor }
      const page = await withDb(options, (db) => listSupplies(db, filter))
      print(options, page, () =>
        table(
          ['reference', 'kind', 'state', 'from', 'to', 'expected', 'units', 'received', 'to come'],
          page.rows.map((row) => [
            row.reference,
            row.kind,
            row.state,
            row.from_location_id,
            row.location_id,
            row.expected_at,
            sum(row, 'quantity'),
            sum(row, 'received_quantity'),
            sum(row, 'to_come'),
          ]),
        ),
      )
    })
}

const sum = (supply: SupplyShown, field: 'quantity' | 'received_quantity' | 'to_come'): number =>
  supply.lines.reduce((units, line) => units + line[field], 0)

function addShow(parent: Command): void {
  parent
    .command('show')
    .description('one with its lines and deliveries')
    .argument(...NAME)
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const supply = await withDb(options, (db) => showSupply(db, name))
      print(options, supply, () => supplyText(supply))
    })
}

function addPut(parent: Command): void {
  const check = checker(PurchaseDocument, 'bad_request')
  parent
    .command('put')
    .description('make a purchase, or bring it to what a file says of it')
    .requiredOption(
      '--file <file>',
      'JSON: reference, location, expected_at, lines (sku, quantity); - reads standard input',
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<FileOptions>()
      const document = await documentOf(options.file, check)
      const answer = await withHub(options, ({ hub }) => putPurchase(hub, document, actor()))
      print(options, answer, () => answerText(answer))
    })
}

function addCreate(parent: Command): void {
  const check = checker(TransferDocument, 'bad_request')
  parent
    .command('create')
    .description('set units aside at one place and have them sent to another')
    .requiredOption(
      '--file <file>',
      'JSON: reference, from, to, expected_at, lines (sku, quantity); - reads standard input',
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<FileOptions>()
      const document = await documentOf(options.file, check)
      const answer = await withHub(options, ({ hub }) => putTransfer(hub, document, actor()))
      print(options, answer, () => answerText(answer))
    })
}

function addReceive(parent: Command): void {
  const check = checker(ReceiptDocument, 'bad_request')
  parent
    .command('receive')
    .description('book goods that came in, and give them to the orders that wait')
    .argument(...NAME)
    .requiredOption(
      '--file <file>',
      'JSON: key, at, close, lines (sku, quantity, to, lot, expires_on); - reads standard input',
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<FileOptions>()
      const document = await documentOf(options.file, check)
      const answer = await withHub(options, async ({ hub }) => {
        const { id } = await showSupply(hub.db, name)
        return receiveGoods(hub, id, document, actor())
      })
      print(options, answer, () => {
        const units = answer.booked.reduce((total, line) => total + line.quantity, 0)
        const again = answer.outcome === 'repeated' ? ' (booked before)' : ''
        return `received ${units} units${again}\n\n${supplyText(answer.supply)}`
      })
    })
}

function addCancel(parent: Command, kind: 'purchase' | 'transfer', description: string): void {
  parent
    .command('cancel')
    .description(description)
    .argument(...NAME)
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const answer = await withHub(options, async ({ hub }) => {
        const { id } = await showSupply(hub.db, name, kind)
        return endSupply(hub, { id, kind }, actor())
      })
      print(options, answer, () => answerText(answer))
    })
}

async function documentOf<T>(file: string, check: Check<T>): Promise<T> {
  const { name, bytes } = await readInput(file)
  return check(parsed(name, bytes.toString('utf8')))
}

function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new HubError('bad_request', `${name} is not JSON`)
  }
}

const answerText = ({ outcome, supply }: SupplyAnswer): string => `${outcome}\n\n${supplyText(supply)}`

function supplyText(supply: SupplyShown): string {
  const way = supply.from_location_id === null ? '' : `from ${supply.from_location_id} `
  return [
    `${supply.reference}  ${supply.kind} ${way}to ${supply.location_id}  ${supply.state}  expected ${supply.expected_at ?? '–'}`,
    '',
    table(
      ['SKU', 'units', 'shipped', 'received', 'missing', 'to come'],
      supply.lines.map((line) => [
        line.sku,
        line.quantity,
        supply.kind === 'transfer' ? line.shipped_quantity : null,
        line.received_quantity,
        line.missing_quantity,
        line.to_come,
      ]),
    ),
    '',
    table(
      ['delivery', 'at', 'by', 'units'],
      supply.receipts.map((row) => [row.key, row.received_at, row.recorded_by, row.units]),
    ),
  ].join('\n')
}
