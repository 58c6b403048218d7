/**
 * Odoo renames things. The code speaks version 19; for older servers this table says what a name was called before, newest first. Which
 * of them holds is asked of the server (`fields_get`), because a module may be missing as well as a version be old. 14 and 19 were
 * compared field by field; between them the names are taken from memory and asked for all the same.
 */
const FIELDS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'sale.order.line': { tax_ids: ['tax_id'], product_uom_id: ['product_uom'] },
  'stock.picking': { move_ids: ['move_ids_without_package', 'move_lines'] },
  'stock.move': { quantity: ['quantity_done'] },
  'stock.move.line': { quantity: ['qty_done'] },
  'account.account': { company_ids: ['company_id'] },
}

/** By the version in which the new name came. */
const MODELS: Readonly<Record<string, readonly (readonly [before: number, name: string])[]>> = {
  'stock.lot': [[16, 'stock.production.lot']],
}

/** Pure: which of a server's fields carry these of version 19; null: it has none for it. */
export function resolveFields(
  model: string,
  wanted: readonly string[],
  present: ReadonlySet<string>,
): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    wanted.map((name) => [name, candidatesOf(model, name).find((candidate) => present.has(candidate)) ?? null]),
  )
}

const candidatesOf = (model: string, name: string): string[] => [name, ...(FIELDS[model]?.[name] ?? [])]

/** Pure: what a model of version 19 is called in this one. */
export function modelName(model: string, version: number): string {
  return MODELS[model]?.find(([before]) => version < before)?.[1] ?? model
}

/** From this version on there is JSON-2. */
export const JSON2_SINCE = 19
/** Before it, rights were asked for by another method. */
const HAS_ACCESS_SINCE = 18

/** The newer method is one of records, asked of none of them; the older one is one of the model. */
export function rightsCall(
  version: number,
  operation: string,
): { method: string; ids?: number[]; args: Record<string, unknown> } {
  return version >= HAS_ACCESS_SINCE
    ? { method: 'has_access', ids: [], args: { operation } }
    : { method: 'check_access_rights', args: { operation, raise_exception: false } }
}
