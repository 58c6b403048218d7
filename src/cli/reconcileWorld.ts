import { refreshBreaks } from '../core/breaks/refresh.ts'
import { addDays } from '../core/matching/rulesMatch.ts'
import type { Tx } from '../db/pool.ts'
import { inTransaction } from '../db/transaction.ts'
import type { RunningHub } from '../main.ts'
import { importBankFile } from '../queues/bankByHand.ts'
import { coreContext } from '../queues/context.ts'
import { runSettlement } from '../queues/settlementRun.ts'
import { bankStatement } from '../sandbox/bank.ts'
import type { ExpectedBreak, Told } from '../sandbox/plants.ts'
import type { World } from '../sandbox/world.ts'

const BEGIN_MINOR = 1_000_000
/** The statement is read to the end of the time in which a payout may arrive, so that what is missing on it is missing. */
const STATEMENT_DAYS = 10
/** By then every payment should have been in a payout. */
const LATER_DAYS = 21
const DAY_MS = 86_400_000

/**
 * The end of the month, in short: the bank's statement comes in as `crossdock bank import` takes it, everything is matched and booked,
 * and the breaks are read as they will stand when nothing is under way any more.
 */
export async function reconcile(world: World, running: RunningHub, { bank }: Told): Promise<ExpectedBreak[]> {
  const { hub } = running
  if (world.bank === null) throw new Error('the sandbox needs a connection of connector bank')
  const { connection_id, iban, currency } = world.bank
  const today = hub.clock.now().toISOString().slice(0, 10)
  const file = bankStatement(bank, {
    id: `DEMO-${today}`,
    iban,
    currency,
    begin_minor: BEGIN_MINOR,
    from: addDays(today, -STATEMENT_DAYS),
    to: addDays(today, STATEMENT_DAYS),
    booked_on: today,
  })
  await importBankFile(hub, { connection: connection_id, bytes: Buffer.from(file, 'utf8') }, 'demo')
  await runSettlement(hub, { by: 'demo' })
  const later = new Date(hub.clock.now().getTime() + LATER_DAYS * DAY_MS)
  // Read in the same transaction: the hub looks by its own clock, too, for which all of this is still under way.
  return inTransaction(hub.db, async (tx) => {
    for (const { id } of hub.config.companies)
      await refreshBreaks(tx, { ...coreContext(hub), now: later }, id, hub.config.finance)
    return openBreaks(tx)
  })
}

/** In the words of whoever planted them: about the payout, the charge or the bank's reference. */
const openBreaks = (tx: Tx): Promise<ExpectedBreak[]> =>
  tx.query<ExpectedBreak>(
    `select k.type, k.amount_minor, coalesce(k.data ->> 'payout', p.external_id, b.reference, k.fingerprint) as about
     from breaks k left join settlement_lines l on l.id = k.settlement_line_id
     left join payments p on p.id = coalesce(k.payment_id, l.payment_id) left join bank_lines b on b.id = k.bank_line_id
     where k.state not in ('resolved', 'written_off') order by k.id`,
  )
