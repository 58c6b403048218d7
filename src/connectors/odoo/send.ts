import { asHubError, HubError } from '../../core/errors.ts'
import type { EffectResult, ErpRequest } from '../../core/model/effects.ts'
import type { Port } from '../_kit/define.ts'
import { sendJournal, sendStatement } from './books.ts'
import { openOdoo, type Odoo } from './client.ts'
import { sendCredit } from './credits.ts'
import { sendDelivery } from './deliveries.ts'
import { sendInvoice } from './invoices.ts'
import { sendCancellation, sendOrder } from './orders.ts'
import { sendReturn } from './returns.ts'
import type { OdooSettings } from './settings.ts'
import { sendStock } from './stock.ts'

type Kind = ErpRequest['kind']
type Sender<K extends Kind> = (odoo: Odoo, request: Extract<ErpRequest, { kind: K }>) => Promise<string | null>

/** One row a kind of document; each brings it about from wherever an earlier run has left it, and answers with Odoo's name of it. */
const SENDERS: { readonly [K in Kind]: Sender<K> } = {
  order: (odoo, { key, order }) => sendOrder(odoo, key, order),
  cancellation: (odoo, { order_external_key }) => sendCancellation(odoo, order_external_key),
  delivery: sendDelivery,
  return: sendReturn,
  invoice: sendInvoice,
  credit: sendCredit,
  journal: sendJournal,
  bank_statement: sendStatement,
  stock: sendStock,
}

/**
 * Tells Odoo one document. Needs no read-back of its own: sending reads before every step and skips what is done, so an outcome that is
 * unknown is settled by sending again. Refusals are answers; what passes by itself is thrown and tried again.
 */
export async function sendToErp(port: Port<OdooSettings>, requests: readonly ErpRequest[]): Promise<EffectResult[]> {
  const results: EffectResult[] = []
  for (const request of requests) {
    try {
      const odoo = await openOdoo(port)
      const external_id = await senderOf(request.kind)(odoo, request)
      results.push({ outbox_id: request.outbox_id, outcome: 'done', external_id })
    } catch (thrown) {
      const { code, message, hint, next } = asHubError(thrown)
      if (next === 'retry' || next === 'pause') throw thrown
      const detail = hint === undefined ? message : `${message} (${hint})`
      results.push({ outbox_id: request.outbox_id, outcome: 'refused', code, detail })
    }
  }
  return results
}

function senderOf(kind: Kind): Sender<Kind> {
  if (!Object.hasOwn(SENDERS, kind)) throw new HubError('unsupported', `Odoo is not told of ${kind}`)
  return SENDERS[kind] as Sender<Kind>
}
