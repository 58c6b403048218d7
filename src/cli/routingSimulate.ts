import { InvalidArgumentError, type Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { parseRules, refuseFaults } from '../core/routing/document.ts'
import type { SimulationFigures } from '../core/routing/rulesReplayTally.ts'
import { simulateRouting, type Simulation } from '../core/routing/simulate.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { coreContext } from '../queues/context.ts'
import { wholeNumber } from './arguments.ts'
import { readInput } from './input.ts'
import { withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'
import { companyOf, rulesOf } from './routingInput.ts'

interface SimulateOptions extends CommonOptions {
  rules: string
  days: number
  company?: string
}

const DAYS_MAX = 3_650

export function addRoutingSimulate(routing: Command): void {
  routing
    .command('simulate')
    .description('replays past orders through draft rules and through those that hold today; changes nothing')
    .requiredOption('--rules <file>', 'the draft: a list of rules as YAML or JSON, or - for standard input')
    .option('--days <n>', 'how many days back', daysOf, 30)
    .option('--company <id>', 'whose orders; needed where there are several companies')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<SimulateOptions>()
      const rules = parseRules(rulesOf(await readInput(options.rules)))
      const simulation = await withHub(options, ({ hub }) => simulate(hub, options, rules))
      print(options, simulation, () => simulationText(simulation))
    })
}

function daysOf(text: string): number {
  const days = wholeNumber(text)
  if (days < 1 || days > DAYS_MAX) throw new InvalidArgumentError(`It must be from 1 to ${DAYS_MAX}.`)
  return days
}

async function simulate(
  hub: Hub,
  { company, days }: SimulateOptions,
  rules: ReturnType<typeof parseRules>,
): Promise<Simulation> {
  const company_id = companyOf(hub.config, company)
  const { companies } = hub.config
  if (!companies.some(({ id }) => id === company_id)) {
    const hint = `there are: ${companies.map(({ id }) => id).join(', ')}`
    throw new HubError('not_found', `there is no company ${company_id}`, { hint })
  }
  const ctx = coreContext(hub)
  return inTransaction(hub.db, async (tx) => {
    // One moment for all pages, and the database's own word that nothing is written.
    await tx.query('set transaction isolation level repeatable read, read only')
    await refuseFaults(tx, ctx, company_id, rules)
    return simulateRouting(tx, ctx, { company_id, rules, days })
  })
}

/** Cost is shown in minor units, as the locations' tables have it. */
const ROWS: readonly (readonly [title: string, of: (figures: SimulationFigures) => string | number | null])[] = [
  ['orders', (one) => one.orders],
  ['served', (one) => one.orders_served],
  ['split', (one) => one.orders_split],
  ['split rate', (one) => percent(one.split_rate)],
  ['parcels', (one) => one.parcels],
  ['cost, minor units', (one) => one.cost.map(({ currency, minor }) => `${minor} ${currency ?? ''}`.trim()).join(', ')],
  ['parcels without a cost', (one) => one.parcels_without_cost],
  ['mean distance, km', (one) => one.distance_km_mean],
  ['median distance, km', (one) => one.distance_km_median],
  ['parcels of unknown distance', (one) => one.parcels_without_distance],
  ['late orders', (one) => one.orders_late],
  ['orders short', (one) => one.orders_short],
  ['units short', (one) => one.units_short],
  ['units still waiting', (one) => one.units_waiting],
  ['over capacity', (one) => one.capacity_refusals],
]

const percent = (rate: number): string => `${Math.round(rate * 1_000) / 10} %`

function simulationText(simulation: Simulation): string {
  const { company_id, days, from, to, today, draft, orders_left_out } = simulation
  const now = today.version === null ? 'today (ranking)' : `today (version ${today.version})`
  const places = [...new Set([...today.places, ...draft.places].map(({ location_id }) => location_id))].sort()
  const load = (figures: SimulationFigures, id: string): string => {
    const place = figures.places.find(({ location_id }) => location_id === id)
    return place === undefined ? '0' : `${place.parcels} (most ${place.peak_parcels} on ${place.peak_day})`
  }
  return [
    `${company_id}: the last ${days} days, ${from} to ${to}`,
    '',
    table(
      ['', now, 'draft'],
      ROWS.map(([title, of]) => [title, of(today), of(draft)]),
    ),
    '',
    table(
      ['parcels of', now, 'draft'],
      places.map((id) => [id, load(today, id), load(draft, id)]),
    ),
    ...(orders_left_out === 0
      ? []
      : ['', `${orders_left_out} orders of connections that are not configured any more were left out`]),
  ].join('\n')
}
