/** What a field of a record can hold: JSON, where `false` stands for nothing, as Odoo has it. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value }
export type Values = Readonly<Record<string, Value>>
/** A stored record. */
export type Row = { id: number } & Record<string, Value>

export const numberOf = (row: Values, field: string): number => {
  const value = row[field]
  return typeof value === 'number' ? value : 0
}
export const textOf = (row: Values, field: string): string => {
  const value = row[field]
  return typeof value === 'string' ? value : ''
}
/** Id that a many2one points to; 0: nothing. */
export const refOf = (row: Values, field: string): number => {
  const value = row[field]
  return typeof value === 'number' ? value : 0
}
export const idsOf = (row: Values, field: string): number[] => {
  const value = row[field]
  return Array.isArray(value) ? value.filter((id) => typeof id === 'number') : []
}
export const isTrue = (row: Values, field: string): boolean => row[field] === true

/** To the cent: amounts travel as floats there, and are rounded by every step. */
export const cents = (amount: number): number => Math.round((amount + Number.EPSILON) * 100) / 100

export const isRecord = (value: unknown): value is Record<string, Value> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A name or a number as text; anything else as JSON. */
export const wordOf = (value: Value | undefined): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : JSON.stringify(value ?? null)
