import type { Env } from './orm.ts'
import { wordOf } from './values.ts'

/** `module.name` → record. */
export function findExternal(env: Env, external: string): { model: string; id: number } | undefined {
  const link = linkOf(env, external)
  return link === undefined ? undefined : { model: wordOf(link['model']), id: Number(link['res_id']) }
}

/** Gives a record its name; one whose record is gone names the new one. */
export function nameRecord(env: Env, external: string, model: string, res_id: number): void {
  const known = linkOf(env, external)
  if (known === undefined) env.create('ir.model.data', { ...partsOf(external), model, res_id })
  else env.write('ir.model.data', [known.id], { model, res_id })
}

function partsOf(external: string): { module: string; name: string } {
  const dot = external.indexOf('.')
  return { module: dot < 0 ? '__import__' : external.slice(0, dot), name: external.slice(dot + 1) }
}

function linkOf(env: Env, external: string) {
  const { module, name } = partsOf(external)
  return env.store.by('ir.model.data', 'name', name).find((row) => row['module'] === module)
}
