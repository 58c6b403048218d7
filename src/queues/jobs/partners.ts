import { watchAnswers } from '../../core/answers/answers.ts'
import { announceSupplies } from '../../core/partners/announcements.ts'
import { invoiceShipments } from '../../core/partners/invoices.ts'
import { answerOrders } from '../../core/partners/orderAnswers.ts'
import { inTransaction } from '../../db/transaction.ts'
import { coreContext } from '../context.ts'
import { relayDue } from '../relay.ts'
import { upkeep } from './upkeep.ts'

const ROWS_MAX = 200

/** What partners are owed without asking: word of their orders, invoices, notice of goods on their way; and what they owe us. */
export const partners = upkeep({
  name: 'partners',
  run: async (hub, _data, reporter) => {
    const count = async (work: Parameters<typeof inTransaction<number>>[1]): Promise<number> => {
      let all = 0
      while (!reporter.signal.aborted) {
        const some = await inTransaction(hub.db, work)
        all += some
        if (some < ROWS_MAX) break
      }
      return all
    }
    const answers = await count((tx) => answerOrders(tx, coreContext(hub), ROWS_MAX))
    const invoices = await count((tx) => invoiceShipments(tx, coreContext(hub), ROWS_MAX))
    const announcements = await count((tx) => announceSupplies(tx, coreContext(hub), ROWS_MAX))
    const overdue = await count((tx) => watchAnswers(tx, hub.clock.now(), ROWS_MAX))
    if (answers + invoices + announcements > 0) await relayDue(hub)
    return `${answers} order(s) to be answered, ${invoices} invoice(s), ${announcements} announcement(s); ${overdue} acknowledgement(s) became overdue`
  },
})
