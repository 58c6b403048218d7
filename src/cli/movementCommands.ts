import type { Command } from 'commander'
import { listLots } from '../core/inventory/lots.ts'
import { HubError } from '../core/errors.ts'
import { MOVEMENT_KIND_NAMES, REASONS, type MovementKindName } from '../core/movements/rulesMovement.ts'
import { listMovements, MOVEMENT_STATES, type MovementShown, type MovementState } from '../core/movements/sql.ts'
import { decideMovementByHand, moveByHand } from '../queues/movementsByHand.ts'
import { actor } from './actor.ts'
import { choiceOption, cursorOption, instantOf, limitOption, wholeNumber } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface MoveOptions extends CommonOptions {
  reason: string
  key?: string
  from?: string
  to?: string
  reference?: string
  lot?: string
  expires?: string
  at?: Date
}

interface ListOptions extends CommonOptions {
  state?: MovementState
  sku?: string
  location?: string
  limit: number
  cursor?: string
}

/** Adds to the command `stock`, which has to be there. */
export function addMovementCommands(program: Command): void {
  const stock = program.commands.find((command) => command.name() === 'stock') ?? program.command('stock')
  addMove(stock)
  addMovements(stock)
  addLots(stock)
  for (const verdict of ['approve', 'reject'] as const) addDecision(stock, verdict)
}

function addMove(stock: Command): void {
  stock
    .command('move')
    .description('moves units by hand; above the limit the movement waits for a second person')
    .argument('<kind>', MOVEMENT_KIND_NAMES.join(' | '))
    .argument('<sku>', "the item's SKU")
    .argument('<location>', 'the place, by its id')
    .argument('<quantity>', 'units', wholeNumber)
    .addOption(choiceOption('--reason <code>', 'why', REASONS).makeOptionMandatory())
    .option('--key <text>', 'your own name of it: the same again is done once')
    .option('--from <state>', 'where the units are, if the kind leaves a choice')
    .option('--to <state>', 'where they go, if the kind leaves a choice')
    .option('--reference <text>', 'a delivery note, a ticket')
    .option('--lot <text>', 'the lot, of items that have them')
    .option('--expires <date>', 'until when the lot may be used: 2026-12-24')
    .option('--at <instant>', 'when it happened, if not now', instantOf)
    .action(async function move(this: Command) {
      const options = this.optsWithGlobals<MoveOptions>()
      const [kind, sku, location, quantity] = this.processedArgs as [string, string, string, number]
      const { reason, key, from, to, reference, lot, expires: expires_on, at: occurred_at } = options
      const named = { kind: kindNamed(kind), sku, location, quantity: unitsOf(quantity) }
      checkDate(expires_on)
      const movement = await withHub(options, ({ hub }) => {
        const request = { ...named, reason, from, to, reference, lot, expires_on, occurred_at }
        return moveByHand(hub, { ...request, key: key ?? hub.ids.uuid() }, actor())
      })
      print(options, movement, () => sentence(movement))
    })
}

function kindNamed(name: string): MovementKindName {
  const kind = MOVEMENT_KIND_NAMES.find((known) => known === name)
  if (kind !== undefined) return kind
  throw new HubError('bad_request', `${name} is no kind of movement`, { hint: MOVEMENT_KIND_NAMES.join(', ') })
}

function unitsOf(quantity: number): number {
  if (quantity > 0) return quantity
  throw new HubError('bad_request', 'a movement moves at least one unit', { path: 'quantity' })
}

function checkDate(text: string | undefined): void {
  if (text === undefined || (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)))) return
  throw new HubError('bad_request', 'write the date like 2026-12-24', { path: 'expires' })
}

function sentence(movement: MovementShown): string {
  const { id, kind, quantity, sku, location_id, state } = movement
  const waits = state === 'waiting' ? `; somebody else approves it: crossdock stock approve ${id}` : ''
  return `${kind} ${quantity} × ${sku} at ${location_id}: ${state}${waits}`
}

function addMovements(stock: Command): void {
  stock
    .command('movements')
    .description('movements by hand, newest first')
    .addOption(choiceOption('--state <state>', 'only in this state', MOVEMENT_STATES))
    .option('--sku <sku>', 'only of this item')
    .option('--location <id>', 'only at this place')
    .addOption(limitOption(20))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { state, sku, location, limit, cursor } = options
      const page = await withDb(options, (db) => listMovements(db, { state, sku, location, limit, cursor }))
      print(options, page, () =>
        table(
          ['id', 'kind', 'SKU', 'location', 'units', 'reason', 'state', 'by', 'at'],
          page.rows.map((row) => [
            row.id,
            row.kind,
            row.sku,
            row.location_id,
            row.quantity,
            row.reason,
            row.state,
            row.requested_by,
            row.requested_at,
          ]),
        ),
      )
    })
}

function addLots(stock: Command): void {
  stock
    .command('lots')
    .description('lots that have units, with their expiry dates')
    .option('--sku <sku>', 'only of this item')
    .option('--location <id>', 'only at this place')
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { sku, location, limit, cursor } = options
      const page = await withHub(options, ({ hub }) =>
        listLots(hub.db, { sku, location, limit, cursor }, hub.clock.now()),
      )
      print(options, page, () =>
        table(
          ['SKU', 'location', 'lot', 'expires', 'units', 'out of sale', 'too old'],
          page.rows.map((row) => [
            row.sku,
            row.location_id,
            row.lot === '' ? 'not named' : row.lot,
            row.expires_on,
            row.quantity,
            row.quarantined,
            row.too_old ? 'yes' : 'no',
          ]),
        ),
      )
    })
}

function addDecision(stock: Command, verdict: 'approve' | 'reject'): void {
  stock
    .command(verdict)
    .description(verdict === 'approve' ? 'approves a movement that somebody else asked for' : 'rejects a movement')
    .argument('<id>', 'the movement, as the list shows it')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const movement = await withHub(options, ({ hub }) => decideMovementByHand(hub, id, verdict, actor()))
      print(options, movement, () => sentence(movement))
    })
}
