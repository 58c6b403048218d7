import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { showOrder } from '../core/orders/read.ts'
import { explainRouting, type RoutingExplained } from '../core/routing/explain.ts'
import { activateRules, listRules, proposeRules, showRules, type RulesShown } from '../core/routing/versions.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { coreContext } from '../queues/context.ts'
import { actor } from './actor.ts'
import { cursorOption, limitOption } from './arguments.ts'
import { readInput } from './input.ts'
import { withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'
import { companyOf, rulesOf } from './routingInput.ts'
import { addRoutingSimulate } from './routingSimulate.ts'

interface CompanyOptions extends CommonOptions {
  company?: string
}

const COMPANY = ['--company <id>', 'whose rules; may be left out where there is one company'] as const

export function addRoutingCommands(program: Command): void {
  const routing = program.command('routing').description('rules that say which place serves which order')
  addReading(routing)
  addWriting(routing)
  addRoutingSimulate(routing)
}

function addReading(routing: Command): void {
  routing
    .command('list')
    .description('versions of the rules, the newest first')
    .option(...COMPANY)
    .addOption(limitOption(20))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CompanyOptions & { limit: number; cursor?: string }>()
      const { company, limit, cursor } = options
      const page = await withHub(options, ({ hub }) => listRules(hub.db, { company, limit, cursor }))
      print(options, page, () =>
        table(
          ['company', 'version', 'state', 'from', 'rules', 'made', 'by', 'activated', 'by'],
          page.rows.map((row) => [
            row.company_id,
            row.version,
            row.state,
            row.source,
            row.rules_count,
            row.created_at,
            row.created_by,
            row.activated_at,
            row.activated_by,
          ]),
        ),
      )
    })
  routing
    .command('show')
    .description('the rules that hold now, or those of one version')
    .argument('[version]', 'a number; default: the active version', versionOf)
    .option(...COMPANY)
    .action(async (version: number | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CompanyOptions>()
      const rules = await withHub(options, ({ hub }) =>
        showRules(hub.db, companyOf(hub.config, options.company), version ?? 'active'),
      )
      print(options, rules, () => rulesText(rules))
    })
  routing
    .command('explain')
    .description('what the rules would do with an order now; nothing is changed')
    .argument('<order>', "the shop's number, the channel's id, or the hub's id")
    .option('--rules-version <number>', 'a version that need not be active', versionOf)
    .action(async (key: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { rulesVersion?: number }>()
      const explained = await withHub(options, ({ hub }) => explain(hub, key, options.rulesVersion))
      print(options, explained, () => explainedText(explained))
    })
}

function addWriting(routing: Command): void {
  routing
    .command('propose')
    .description('keep rules from a file (YAML or JSON) as a draft')
    .requiredOption('--rules <file>', 'a list of rules, or a document with the field rules; - reads standard input')
    .option(...COMPANY)
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CompanyOptions & { rules: string }>()
      const document = rulesOf(await readInput(options.rules))
      const made = await withHub(options, ({ hub }) => {
        const company_id = companyOf(hub.config, options.company)
        return inTransaction(hub.db, (tx) => proposeRules(tx, coreContext(hub), { company_id, document, by: actor() }))
      })
      print(options, made, () => `version ${made.version} is a draft of ${made.rules_count} rules`)
    })
  routing
    .command('activate')
    .description('let a version hold; running hubs follow within a second')
    .argument('<version>', 'its number', versionOf)
    .option(...COMPANY)
    .action(async (version: number, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CompanyOptions>()
      const made = await withHub(options, ({ hub }) => {
        const company_id = companyOf(hub.config, options.company)
        return inTransaction(hub.db, (tx) => activateRules(tx, coreContext(hub), { company_id, version, by: actor() }))
      })
      print(options, made, () => `version ${made.version} is active`)
    })
}

async function explain(hub: Hub, key: string, version: number | undefined): Promise<RoutingExplained> {
  const { id } = await showOrder(hub.db, coreContext(hub), key)
  return inTransaction(hub.db, (tx) => explainRouting(tx, coreContext(hub), { order_id: id, version }))
}

function versionOf(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new HubError('bad_request', 'a version is a whole number above zero', { hint: 'crossdock routing list' })
}

function rulesText(rules: RulesShown): string {
  const since = rules.activated_at === null ? '' : ` since ${rules.activated_at} by ${rules.activated_by ?? ''}`
  return [
    `${rules.company_id}, version ${rules.version}: ${rules.state}${since}`,
    '',
    table(
      ['', 'rule', 'sort', 'strategy', 'otherwise'],
      rules.rules.map((rule, index) => [index + 1, rule.name, rule.sort.join(', '), rule.strategy, rule.otherwise]),
    ),
    '',
    JSON.stringify(rules.rules, null, 2),
  ].join('\n')
}

function explainedText(explained: RoutingExplained): string {
  const { version, rule, outcome } = explained
  return [
    `${explained.order_number ?? explained.order_id}: ${version === null ? '' : `version ${version}, `}${rule}: ${outcome}`,
    ...explained.passed_over.map((other) => `asked before: ${other.rule}: ${other.outcome}`),
    '',
    table(
      ['SKU', 'units', 'from'],
      explained.lines.map((line) => [line.channel_sku, line.units, line.location_id]),
    ),
    '',
    table(
      ['location', 'verdict'],
      explained.considered.map((one) => [one.location_id, one.verdict]),
    ),
  ].join('\n')
}
