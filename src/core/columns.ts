/** One array for each key, for `unnest($1::text[], $2::int[] …)`: a whole batch is one statement with a fixed text. */
export function columns<T, K extends keyof T>(rows: readonly T[], keys: readonly K[]): T[K][][] {
  return keys.map((key) => rows.map((row) => row[key]))
}

/** A text[] as PostgreSQL writes it, so that arrays of different lengths can be the elements of one unnest (cast them back). */
export function arrayText(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/[\\"]/g, '\\$&')}"`).join(',')}}`
}
