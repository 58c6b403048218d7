import type { Journal } from '../simulator.ts'
import type { Row } from './values.ts'

/** One committed call: every record that it left different. `null`: it is gone. */
export interface Committed {
  at: string
  call: string
  changes: [model: string, id: number, row: Row | null][]
}

export interface Store {
  get: (model: string, id: number) => Row | undefined
  all: (model: string) => readonly Row[]
  /** Records whose many2one or name has this value, without looking at the others. */
  by: (model: string, field: string, value: number | string) => readonly Row[]
  put: (model: string, row: Row) => void
  remove: (model: string, id: number) => void
  nextId: (model: string) => number
  /** One call, one transaction: what it threw leaves no trace, what it did is in the journal before anybody is answered. */
  transaction: <T>(call: string, now: Date, work: () => T) => T
  /** A part of a transaction that is undone by itself when it throws. */
  savepoint: <T>(work: () => T) => T
}

interface Table {
  rows: Map<number, Row>
  indexes: Map<string, Map<number | string, Set<number>>>
  last_id: number
}

type Undo = () => void

const emptyTable = (fields: readonly string[]): Table => ({
  rows: new Map(),
  indexes: new Map(fields.map((field) => [field, new Map<number | string, Set<number>>()])),
  last_id: 0,
})

function index(at: Table, row: Row, present: 'add' | 'delete'): void {
  for (const [field, values] of at.indexes) {
    const value = row[field]
    if (typeof value !== 'number' && typeof value !== 'string') continue
    const ids = values.get(value) ?? new Set<number>()
    ids[present](row.id)
    values.set(value, ids)
  }
}

/** Records in memory, and their changes in an append-only file: a kill -9 loses nothing that was answered. */
export function openStore(journal: Journal<Committed>, indexed: (model: string) => readonly string[]): Store {
  const tables = new Map<string, Table>()
  let undo: Undo[] = []
  let touched = new Map<string, [string, number]>()

  const table = (model: string): Table => {
    const known = tables.get(model)
    if (known !== undefined) return known
    const made = emptyTable(indexed(model))
    tables.set(model, made)
    return made
  }
  const set = (model: string, id: number, row: Row | undefined): void => {
    const at = table(model)
    const before = at.rows.get(id)
    if (before !== undefined) index(at, before, 'delete')
    if (row === undefined) at.rows.delete(id)
    else {
      at.rows.set(id, row)
      index(at, row, 'add')
      at.last_id = Math.max(at.last_id, id)
    }
  }
  const change = (model: string, id: number, row: Row | undefined): void => {
    const before = table(model).rows.get(id)
    undo.push(() => set(model, id, before))
    touched.set(`${model} ${id}`, [model, id])
    set(model, id, row)
  }
  const rollBack = (to: number): void => {
    for (const step of undo.splice(to).toReversed()) step()
  }

  for (const { changes } of journal.events()) for (const [model, id, row] of changes) set(model, id, row ?? undefined)

  return {
    get: (model, id) => table(model).rows.get(id),
    all: (model) => [...table(model).rows.values()],
    by: (model, field, value) => {
      const { rows, indexes } = table(model)
      return [...(indexes.get(field)?.get(value) ?? [])].sort((a, b) => a - b).flatMap((id) => rows.get(id) ?? [])
    },
    put: (model, row) => change(model, row.id, row),
    remove: (model, id) => change(model, id, undefined),
    // Like a sequence of PostgreSQL, a number that was taken is not given back by a rollback.
    nextId: (model) => (table(model).last_id += 1),
    transaction: (call, now, work) => {
      undo = []
      touched = new Map()
      try {
        const value = work()
        const changes = [...touched.values()].map(([model, id]): Committed['changes'][number] => [
          model,
          id,
          table(model).rows.get(id) ?? null,
        ])
        if (changes.length > 0) journal.append({ at: now.toISOString(), call, changes })
        return value
      } catch (thrown) {
        rollBack(0)
        throw thrown
      }
    },
    savepoint: (work) => {
      const from = undo.length
      try {
        return work()
      } catch (thrown) {
        rollBack(from)
        throw thrown
      }
    },
  }
}
