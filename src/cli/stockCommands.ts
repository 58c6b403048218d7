import type { Command } from 'commander'
import { explainSku, type SkuExplained } from '../core/inventory/read.ts'
import { coreContext } from '../queues/context.ts'
import { withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ExplainOptions extends CommonOptions {
  connection?: string
}

export function addStockCommands(program: Command): void {
  program
    .command('stock')
    .description('stock by item')
    .command('explain')
    .description('why a number is what it is: counters, promises, and the sum behind what each channel shows')
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
  const promises = table(
    ['order', 'connection', 'location', 'units', 'state'],
    explained.promises.map((row) => [row.order_number, row.connection_id, row.location_id, row.quantity, row.state]),
  )
  const listings = explained.listings.map((listing) => {
    const sum = listing.terms.map((term) => `${term.name} ${term.value}`).join(' · ')
    return `${listing.connection_id} ${listing.channel_sku}: due ${listing.due_quantity ?? '–'} (${sum})`
  })
  return [explained.sku, stock, '', 'promised to', promises, '', ...listings].join('\n')
}
