import Type from 'typebox'
import { setPeakMode } from '../../core/availability/peak.ts'
import { closed } from '../../core/model/schema.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../../queues/context.ts'
import { wakePushes } from '../../queues/wake.ts'
import { actorOf, type App } from '../app.ts'
import { FAULTS, flag, maybeInstant, maybeText, text, textId } from './schemas.ts'

const Peak = Type.Object(
  {
    company_id: text,
    peak_mode: flag,
    changed_at: maybeInstant,
    changed_by: maybeText,
    connections: Type.Array(text, { description: 'Connections whose buffer the switch moves.' }),
  },
  closed,
)

export function peakRoutes(app: App, hub: Hub): void {
  app.post(
    '/companies/:id/peak',
    {
      schema: {
        tags: ['stock rules'],
        summary: 'Switch peak mode on or off',
        description: 'While it is on, buffers by measured risk count three times. Asking again changes nothing.',
        params: textId,
        body: Type.Object({ on: flag }, closed),
        response: { 200: Peak, ...FAULTS },
      },
    },
    async (request) => {
      const wish = { company_id: request.params.id, by: actorOf(request).name }
      const mode = request.body.on ? 'on' : 'off'
      const peak = await inTransaction(hub.db, (tx) => setPeakMode(tx, coreContext(hub), { ...wish, mode }))
      await wakePushes(hub)
      return peak
    },
  )
}
