import { acceptStatement, importStatement, type StatementImport } from '../core/bank/importStatement.ts'
import { HubError } from '../core/errors.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { coreContext } from './context.ts'

export interface BankImport {
  connection: string
  format: 'csv' | 'camt053' | 'mt940'
  statements: StatementImport[]
  warnings: string[]
}

/**
 * Reads a bank's file and keeps its statements, all of them or none. What does not prove itself is kept as held and said in the answer.
 * Faults: `not_found`, `unsupported` (the connection is no bank account), `file_invalid`, `conflict`, `control_total_mismatch`.
 */
export async function importBankFile(
  hub: Hub,
  file: { connection: string; bytes: Buffer },
  by: string,
): Promise<BankImport> {
  const connection = hub.connections.get(file.connection)
  if (connection === undefined)
    throw new HubError('not_found', `there is no connection ${file.connection.slice(0, 100)}`)
  const { connector, config, port } = connection
  if (connector.statements === undefined)
    throw new HubError('unsupported', `${connection.id} is no bank account`, { hint: 'its connector has to be bank' })
  const read = connector.statements.read(file.bytes, port.settings)
  const statements = await inTransaction(hub.db, async (tx) => {
    const done: StatementImport[] = []
    for (const statement of read.statements) {
      const input = { connection_id: connection.id, company_id: config.company, statement, faults: read.faults }
      done.push(await importStatement(tx, coreContext(hub), input, by))
    }
    return done
  })
  return { connection: connection.id, format: read.format, statements, warnings: read.warnings }
}

/** Takes a held statement as it is. Faults: `not_found`, `conflict`. */
export async function acceptBankStatement(hub: Hub, id: string, by: string): Promise<StatementImport> {
  return inTransaction(hub.db, (tx) => acceptStatement(tx, coreContext(hub), id, by))
}
