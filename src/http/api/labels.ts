import Type from 'typebox'
import { readLabelFile } from '../../core/labels/documents.ts'
import { listLabels, showLabel, type LabelRow, type LabelShown } from '../../core/labels/read.ts'
import { PARCEL_STATES } from '../../core/model/label.ts'
import { closed, Id, Nullable } from '../../core/model/schema.ts'
import { writeAudit } from '../../db/audit.ts'
import type { Hub } from '../../hub.ts'
import {
  giveBackByHand,
  goWithoutLabel,
  purchaseByHand,
  ratesByHand,
  type LabelAnswer,
} from '../../queues/labelsByHand.ts'
import { actorOf, type App } from '../app.ts'
import {
  count,
  FAULTS,
  filters,
  flag,
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

const summary = {
  id: uuid,
  reference: text,
  connection_id: text,
  fulfillment_order: text,
  order_id: uuid,
  order_number: maybeText,
  location_id: text,
  state: text,
  weight_g: count,
  carrier: maybeText,
  service: maybeText,
  currency: maybeText,
  amount_minor: maybeCount,
  tracking_number: maybeText,
  fault: maybeText,
  created_at: instant,
  bought_at: maybeInstant,
  voided_at: maybeInstant,
}
export const LabelSummary = named<LabelRow>('LabelSummary', summary)

export const Label = named<LabelShown>('Label', {
  ...summary,
  size_mm: Nullable(Type.Array(count)),
  external_id: maybeText,
  tracking_url: maybeText,
  choice: Nullable(
    Type.Object({
      by: text,
      rule: text,
      rate: maybeText,
      offered: listOf({
        external_id: text,
        carrier: text,
        service: text,
        currency: text,
        amount_minor: count,
        days: maybeCount,
        guaranteed: flag,
        out: maybeText,
      }),
    }),
  ),
  files: listOf({ name: text, content_type: text, bytes: count, sha256: text }),
  scans: listOf({ at: instant, status: text, code: text, place: maybeText, connection_id: text }),
})

const Answer = Type.Unsafe<LabelAnswer>(Type.Object({ outcome: text, label: Nullable(Label.ref) }))
const ByName = Type.Object({ reference: Id })
const tags = ['labels']
const response = { 200: Answer, ...FAULTS }
/** Everything is named by the work or the parcel that it is about, so that the same wish again changes nothing. */
const REPEATABLE = 'Named by the parcel itself: asking for the same again changes nothing.'

export function labelRoutes(app: App, hub: Hub): void {
  app.get(
    '/labels',
    {
      schema: {
        tags,
        summary: 'List parcels and their labels, newest first',
        querystring: listQuery({
          state: filters.words(PARCEL_STATES),
          connection: filters.text,
          location: filters.text,
          fulfillment_order: filters.text,
          tracking_number: filters.text,
        }),
        response: { 200: LabelSummary.page, ...FAULTS },
      },
    },
    async (request) => listLabels(hub.db, request.query),
  )
  app.get(
    '/labels/:reference',
    {
      schema: {
        tags,
        summary: 'Show a parcel: offers, label, scans',
        description: 'By its reference, or the newest one of a fulfillment order by that number.',
        params: ByName,
        response: { 200: Label.ref, ...FAULTS },
      },
    },
    async (request) => showLabel(hub.db, request.params.reference),
  )
  fileRoute(app, hub)
  writeRoutes(app, hub)
}

function fileRoute(app: App, hub: Hub): void {
  app.get(
    '/labels/:reference/file',
    {
      schema: {
        tags,
        summary: "Download a label's file",
        description: 'It carries a name and an address: every download is written into the audit log.',
        params: ByName,
        querystring: Type.Object({ name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })) }, closed),
        produces: ['application/pdf', 'application/zpl', 'image/png'],
      },
    },
    async (request, reply) => {
      const label = await showLabel(hub.db, request.params.reference)
      // Written first: a look that could not be recorded does not take place.
      await writeAudit(hub.db, {
        at: hub.clock.now(),
        actor: actorOf(request).name,
        action: 'label.read',
        subject: `order:${label.order_id}`,
        data: { parcel: label.reference },
      })
      const file = await readLabelFile(hub.db, hub.vault, label, request.query.name)
      void reply
        .header('cache-control', 'no-store')
        .header('content-disposition', `attachment; filename="${file.name.replaceAll(/[^\w.-]/g, '_')}"`)
        .header('x-content-type-options', 'nosniff')
        .type(file.content_type)
      return reply.send(file.bytes)
    },
  )
}

function writeRoutes(app: App, hub: Hub): void {
  app.post(
    '/fulfillment-orders/:number/rates',
    {
      schema: {
        tags,
        summary: 'Ask carriers what they would take',
        description: `For a person to choose; nothing is bought. ${REPEATABLE} With \`anew\` offers that are known already are asked for again.`,
        params: Type.Object({ number: Id }),
        body: Type.Object({ anew: Type.Optional(Type.Boolean()) }, closed),
        response,
      },
    },
    async (request) => {
      const offers = request.body.anew === true ? 'anew' : 'known'
      return ratesByHand(hub, { number: request.params.number, offers, actor: actorOf(request).name })
    },
  )
  app.post(
    '/fulfillment-orders/:number/skip-label',
    {
      schema: {
        tags,
        summary: 'Let work leave without a label',
        description: REPEATABLE,
        params: Type.Object({ number: Id }),
        response,
      },
    },
    async (request) => goWithoutLabel(hub, { number: request.params.number, actor: actorOf(request).name }),
  )
  app.post(
    '/labels/:reference/buy',
    {
      schema: {
        tags,
        summary: 'Buy one of the offers',
        description: `Left out: the one that the rules would take. ${REPEATABLE}`,
        params: ByName,
        body: Type.Object({ rate: Type.Optional(Id) }, closed),
        response,
      },
    },
    async (request) =>
      purchaseByHand(hub, {
        name: request.params.reference,
        rate: request.body.rate ?? null,
        actor: actorOf(request).name,
      }),
  )
  app.post(
    '/labels/:reference/void',
    { schema: { tags, summary: 'Give a label back', description: REPEATABLE, params: ByName, response } },
    async (request) => giveBackByHand(hub, { name: request.params.reference, actor: actorOf(request).name }),
  )
}
