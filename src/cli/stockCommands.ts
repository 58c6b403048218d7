import type { Command } from 'commander'
import type { ExplainedListing } from '../core/availability/explain.ts'
import { SUBTOTALS } from '../core/availability/rules.ts'
import { explainSku, type SkuExplained } from '../core/inventory/read.ts'
import { coreContext } from '../queues/context.ts'
import { expectedText } from './expected.ts'
import { withHub, type CommonOptions } from './options.ts'
import { print, printable, table } from './output.ts'

interface ExplainOptions extends CommonOptions {
  connection?: string
}

export function addStockCommands(program: Command): void {
  program
    .command('stock')
    .description('stock by item')
    .command('explain')
    .description(
      'why a number is what it is: counters, promises, and the sum behind what each channel shows and was told',
    )
    .argument('<sku>', "the item's SKU")
    .option('--connection <id>', 'only the listings of this connection')
    .action(async (sku: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<ExplainOptions>()
      const whole = await withHub(options, ({ hub }) => explainSku(hub.db, coreContext(hub), sku))
      const { connection } = options
      const listings = whole.listings.filter((row) => connection === undefined || row.connection_id === connection)
      const explained = { ...whole, listings }
      print(options, explained, () => stockText(explained))
    })
}

function stockText(explained: SkuExplained): string {
  const stock = table(
    ['location', 'on hand', 'available', 'held', 'committed', 'damaged', 'quality', 'incoming', 'counted as of'],
    explained.stock.map((row) => [
      row.location_id,
      row.on_hand,
      row.available,
      row.reserved,
      row.committed,
      row.damaged,
      row.quality_control,
      row.incoming,
      row.counted_as_of,
    ]),
  )
  const distrusted = explained.distrusted.map(
    (place) => `${place.location_id} is not trusted since ${place.since} (${place.because})`,
  )
  const promises = table(
    ['order', 'connection', 'location', 'units', 'state', 'expected'],
    explained.promises.map((row) => [
      row.order_number,
      row.connection_id,
      row.location_id,
      row.quantity,
      row.backordered ? `${row.state} (backordered)` : row.state,
      expectedText(row.expected),
    ]),
  )
  const holds = table(
    ['hold', 'connection', 'location', 'units', 'until'],
    explained.holds.map((row) => [row.hold_id, row.connection_id, row.location_id, row.quantity, row.expires_at]),
  )
  const supplies = table(
    ['supply', 'kind', 'location', 'open', 'of', 'expected'],
    explained.supplies.map((row) => [
      row.reference,
      row.kind,
      row.location_id,
      row.open_quantity,
      row.quantity,
      row.expected_at,
    ]),
  )
  return [
    explained.sku,
    stock,
    ...distrusted,
    ...section('promised to', explained.promises, promises),
    ...section('held for', explained.holds, holds),
    ...section('on its way', explained.supplies, supplies),
    ...explained.listings.flatMap((listing) => ['', ...listingText(listing)]),
  ].join('\n')
}

const section = (title: string, rows: readonly object[], text: string): string[] =>
  rows.length === 0 ? [] : ['', title, text]

/** The sum line by line, with its subtotals set apart; then the rules behind it and what was published. */
function listingText(listing: ExplainedListing): string[] {
  const shown = listing.proven_quantity ?? '–'
  const sum = listing.terms.map((term) => {
    const place = [term.location_id, term.sku].filter((name) => name !== null).join(' ')
    return SUBTOTALS.has(term.name)
      ? [place, '', `= ${term.value}`, term.name]
      : [place, term.value >= 0 ? `+ ${term.value}` : `- ${-term.value}`, '', term.name]
  })
  const rules = listing.rules.map((rule) => [
    `${rule.field}=${rule.value ?? 'none'}`,
    [rule.sku, rule.location_id].filter((name) => name !== null).join(' '),
    rule.source,
    rule.changed_by,
    rule.changed_at,
  ])
  const published = listing.publications.map(({ at, quantity }) => `${quantity} at ${at}`)
  return [
    `${listing.connection_id} ${printable(listing.channel_sku)}: due ${listing.due_quantity ?? '–'}, shows ${shown}`,
    ...(sum.length === 0 ? [] : [table(['of', 'units', 'comes to', 'because of'], sum)]),
    ...(rules.length === 0 ? [] : [table(['rule', 'for', 'from', 'changed by', 'changed at'], rules)]),
    ...(published.length === 0 ? [] : [`published ${published.join(', ')}`]),
  ]
}
