import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { Hub } from '../../hub.ts'
import type { App } from '../app.ts'
import { ApiKey, apiKeyRoutes } from './apiKeys.ts'
import { SettlementBridgeSchema, bridgeRoutes } from './bridge.ts'
import { Break, breakRoutes, BreakShownSchema } from './breaks.ts'
import { BankLineSchema, bankRoutes, BankStatementSchema } from './bank.ts'
import { AwaitedAnswer, answerRoutes } from './answers.ts'
import { Case, caseRoutes } from './cases.ts'
import { CloseCheckSchema, closeRoutes } from './close.ts'
import { connectionRoutes, ConnectionSchema } from './connections.ts'
import { CycleCount, CycleCountListed, cycleCountRoutes } from './cycleCounts.ts'
import { DeadLetter, deadLetterRoutes } from './deadLetters.ts'
import { ErpDocumentSchema, ErpDocumentShownSchema, erpRoutes } from './erp.ts'
import { ContributionSchema, FeeAudit, feeRoutes, FeeAuditTotal, TariffSchema } from './fees.ts'
import { fileRoutes, InboundFile } from './files.ts'
import { FulfillmentOrder, fulfillmentOrderRoutes, FulfillmentOrderSummary } from './fulfillmentOrders.ts'
import { Hold, holdRoutes, RefusedHold } from './holds.ts'
import { InboxMessage, InboxMessageShown, inboxRoutes } from './inbox.ts'
import { Label, labelRoutes, LabelSummary } from './labels.ts'
import { Journal, JournalShownSchema, journalRoutes } from './journals.ts'
import { Listing, listingRoutes } from './listings.ts'
import { MatchSchema, matchRoutes, SuggestionSchema } from './matches.ts'
import { Movement, movementRoutes, StockLot } from './movements.ts'
import { Order, orderRoutes, OrderSummary, ParkedOrder } from './orders.ts'
import { OutboxEffect, OutboxEffectShown, outboxRoutes } from './outbox.ts'
import { peakRoutes } from './peak.ts'
import { PROBLEM_SCHEMA } from './schemas.ts'
import { RoutingExplanation, RoutingRulesShown, routingRoutes, RoutingVersion } from './routing.ts'
import { Settlement, settlementRoutes, SettlementShownSchema, SettlementSummarySchema } from './settlements.ts'
import { settlementFileRoutes } from './settlementFiles.ts'
import { SkuExplanation, StockLevel, stockRoutes } from './stock.ts'
import { stockRuleRoutes, StockRuleSchema } from './stockRules.ts'
import { Supply, supplyRoutes } from './supplies.ts'

const NAMED = [
  ApiKey,
  BankLineSchema,
  BankStatementSchema,
  Break,
  BreakShownSchema,
  Case,
  AwaitedAnswer,
  CloseCheckSchema,
  ConnectionSchema,
  ContributionSchema,
  CycleCount,
  CycleCountListed,
  DeadLetter,
  ErpDocumentSchema,
  ErpDocumentShownSchema,
  FeeAudit,
  FeeAuditTotal,
  FulfillmentOrder,
  FulfillmentOrderSummary,
  Hold,
  InboundFile,
  InboxMessage,
  InboxMessageShown,
  Journal,
  Label,
  LabelSummary,
  JournalShownSchema,
  Listing,
  MatchSchema,
  Movement,
  Order,
  OrderSummary,
  OutboxEffect,
  OutboxEffectShown,
  ParkedOrder,
  RefusedHold,
  RoutingExplanation,
  RoutingRulesShown,
  RoutingVersion,
  Settlement,
  SettlementBridgeSchema,
  SettlementShownSchema,
  SettlementSummarySchema,
  SkuExplanation,
  StockLevel,
  StockRuleSchema,
  Supply,
  StockLot,
  SuggestionSchema,
  TariffSchema,
]

const RESOURCES = [
  orderRoutes,
  fulfillmentOrderRoutes,
  labelRoutes,
  stockRoutes,
  stockRuleRoutes,
  caseRoutes,
  answerRoutes,
  peakRoutes,
  supplyRoutes,
  movementRoutes,
  cycleCountRoutes,
  holdRoutes,
  listingRoutes,
  inboxRoutes,
  fileRoutes,
  outboxRoutes,
  deadLetterRoutes,
  settlementRoutes,
  bankRoutes,
  settlementFileRoutes,
  matchRoutes,
  breakRoutes,
  feeRoutes,
  bridgeRoutes,
  journalRoutes,
  closeRoutes,
  erpRoutes,
  routingRoutes,
  connectionRoutes,
  apiKeyRoutes,
]

const DESCRIPTION = `Orders, stock, listings, messages, effects, payouts and connections of the hub.

Send an API key as \`Authorization: Bearer cdk_…\`. Lists are read page by page: \`next_cursor\` of one page is \`cursor\` of the next.
Faults are RFC 9457 problems with a stable \`code\`. Amounts are integers in the currency's minor unit.`

/** The OpenAPI document and its pages at `/docs`; has to come before the routes that it describes. */
export async function registerDocs(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Crossdock', version: '1', description: DESCRIPTION, license: { name: 'Apache-2.0' } },
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer' },
          session: { type: 'apiKey', in: 'cookie', name: 'crossdock' },
        },
      },
      security: [{ key: [] }, { session: [] }],
    },
    hideUntagged: true,
    // Schemas keep the names they were given; numbered ones would change with every new route.
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json['$id'] === 'string' ? json['$id'] : `schema_${index}`,
    },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { docExpansion: 'list', tryItOutEnabled: false, layout: 'BaseLayout' },
    theme: { title: 'Crossdock API' },
  })
}

/** REST under `/api/v1`, one file a resource. */
export async function registerApi(app: App, hub: Hub): Promise<void> {
  for (const schema of [PROBLEM_SCHEMA, ...NAMED.map((entry) => entry.schema)]) app.addSchema(schema)
  await app.register(
    (scope, _options, done) => {
      for (const register of RESOURCES) register(scope, hub)
      done()
    },
    { prefix: '/api/v1' },
  )
}
