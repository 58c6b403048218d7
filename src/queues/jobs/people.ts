import { eraseDelivered } from '../../core/people/eraseDelivered.ts'
import { inTransaction } from '../../db/transaction.ts'
import { coreContext } from '../context.ts'
import { upkeep } from './upkeep.ts'

const ORDERS_MAX = 500
const ROUNDS_MAX = 100

/** Forgets the people of orders that were delivered long enough ago, where a connection's terms or the merchant say how long that is. */
export const forgetPeople = upkeep({
  name: 'forget_people',
  run: async (hub, _data, reporter) => {
    let orders = 0
    let bodies = 0
    for (let round = 0; round < ROUNDS_MAX && !reporter.signal.aborted; round += 1) {
      const some = await inTransaction(hub.db, (tx) => eraseDelivered(tx, coreContext(hub), ORDERS_MAX))
      orders += some.orders
      bodies += some.bodies
      if (some.orders < ORDERS_MAX) break
    }
    return `forgot the people of ${orders} order(s), and ${bodies} message(s) about them`
  },
})
