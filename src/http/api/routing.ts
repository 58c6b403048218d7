import Type from 'typebox'
import { closed, Id } from '../../core/model/schema.ts'
import { explainRouting, type RoutingExplained } from '../../core/routing/explain.ts'
import {
  activateRules,
  listRules,
  proposeRules,
  showRules,
  type RulesShown,
  type RulesVersion,
} from '../../core/routing/versions.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../../queues/context.ts'
import { actorOf, type App } from '../app.ts'
import {
  anything,
  count,
  FAULTS,
  filters,
  instant,
  listOf,
  listQuery,
  maybeCount,
  maybeInstant,
  maybeText,
  named,
  text,
  uuid,
} from './schemas.ts'

const version = {
  company_id: text,
  version: count,
  state: text,
  source: text,
  rules_count: count,
  created_at: instant,
  created_by: text,
  activated_at: maybeInstant,
  activated_by: maybeText,
}
export const RoutingVersion = named<RulesVersion>('RoutingVersion', version)
export const RoutingRulesShown = named<RulesShown>('RoutingRules', { ...version, rules: Type.Array(anything) })

export const RoutingExplanation = named<RoutingExplained>('RoutingExplanation', {
  order_id: uuid,
  order_number: maybeText,
  connection_id: text,
  version: maybeCount,
  rule: text,
  outcome: text,
  chosen: Type.Array(text),
  considered: listOf({ location_id: text, verdict: text }),
  passed_over: listOf({ rule: text, outcome: text }),
  lines: listOf({ line_id: count, channel_sku: text, location_id: maybeText, units: count }),
})

const Version = Type.Object({ version: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }) })
const Company = Type.Object({ company: Id }, closed)

/** Rules are checked by the core, whose faults name the place inside them; here they are only a list. */
const Proposal = Type.Object(
  {
    company: Id,
    key: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'your own name of the proposal; repeat it to ask again',
      }),
    ),
    rules: Type.Array(anything, { minItems: 1, maxItems: 200 }),
  },
  closed,
)

const Question = Type.Object(
  {
    order_id: uuid,
    version: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2_147_483_647, description: 'default: the active one' }),
    ),
  },
  closed,
)

export function routingRoutes(app: App, hub: Hub): void {
  readRoutes(app, hub)
  writeRoutes(app, hub)
}

function readRoutes(app: App, hub: Hub): void {
  app.get(
    '/routing/rules',
    {
      schema: {
        tags: ['routing'],
        summary: 'List the versions of the routing rules',
        querystring: listQuery({ company: filters.text, state: filters.words(['draft', 'active', 'retired']) }),
        response: { 200: RoutingVersion.page, ...FAULTS },
      },
    },
    async (request) => listRules(hub.db, request.query),
  )

  app.get(
    '/routing/rules/:version',
    {
      schema: {
        tags: ['routing'],
        summary: 'Show one version of the routing rules',
        params: Version,
        querystring: Company,
        response: { 200: RoutingRulesShown.ref, ...FAULTS },
      },
    },
    async (request) => showRules(hub.db, request.query.company, request.params.version),
  )

  app.post(
    '/routing/explain',
    {
      schema: {
        tags: ['routing'],
        summary: 'Say what the rules would do with an order now',
        description: 'As if nothing of it were reserved yet. Nothing is changed.',
        body: Question,
        response: { 200: RoutingExplanation.ref, ...FAULTS },
      },
    },
    async (request) => inTransaction(hub.db, (tx) => explainRouting(tx, coreContext(hub), request.body)),
  )
}

function writeRoutes(app: App, hub: Hub): void {
  app.post(
    '/routing/rules',
    {
      schema: {
        tags: ['routing'],
        summary: 'Propose routing rules',
        description: 'They are kept as a draft until they are activated. The same key answers with the same version.',
        body: Proposal,
        response: { 200: RoutingRulesShown.ref, ...FAULTS },
      },
    },
    async (request) => {
      const { company, key, rules } = request.body
      const by = actorOf(request).name
      return inTransaction(hub.db, (tx) =>
        proposeRules(tx, coreContext(hub), { company_id: company, document: rules, by, key }),
      )
    },
  )

  app.post(
    '/routing/rules/:version/activate',
    {
      schema: {
        tags: ['routing'],
        summary: 'Let a version of the routing rules hold',
        description:
          'The version before is retired and may be activated again. Other processes follow within a second.',
        params: Version,
        body: Company,
        response: { 200: RoutingRulesShown.ref, ...FAULTS },
      },
    },
    async (request) =>
      inTransaction(hub.db, (tx) =>
        activateRules(tx, coreContext(hub), {
          company_id: request.body.company,
          version: request.params.version,
          by: actorOf(request).name,
        }),
      ),
  )
}
