import { asHubError, type HubError } from '../core/errors.ts'

/** Exit codes that other tools rely on: 0 done, 1 a check failed or a fault of ours, 2 bad input. */
export const EXIT = { ok: 0, failed: 1, bad_input: 2 } as const

const BAD_INPUT: ReadonlySet<string> = new Set([
  'bad_request', 'not_found', 'unsupported', 'config_invalid', 'payload_invalid', 'file_invalid', 'control_total_mismatch', 'conflict',
]) // prettier-ignore

export interface ReadOptions {
  json?: boolean
}

/** One JSON document on stdout, or the human text. Reading commands never mix the two. */
export function print(options: ReadOptions, document: unknown, text: () => string): void {
  process.stdout.write(options.json === true ? `${JSON.stringify(document)}\n` : `${text()}\n`)
}

export const exitCodeOf = (error: HubError): number => (BAD_INPUT.has(error.code) ? EXIT.bad_input : EXIT.failed)

/** `{"ok":false,"error":{…}}` for tools, a sentence with the hint for people; always on the stream that the reader watches. */
export function printError(options: ReadOptions, thrown: unknown): number {
  const error = asHubError(thrown)
  const path = error.path === undefined ? {} : { path: error.path }
  const hint = error.hint === undefined ? {} : { hint: error.hint }
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ ok: false, error: { code: error.code, message: error.message, ...path, ...hint } })}\n`)
  } else {
    process.stderr.write(`${error.code}: ${error.message}${error.path === undefined ? '' : ` (at ${error.path})`}\n`)
    if (error.hint !== undefined) process.stderr.write(`  ${error.hint}\n`)
  }
  return exitCodeOf(error)
}

/** Columns as wide as their widest cell; the last one is left ragged. */
export function table(headings: readonly string[], rows: readonly (readonly (string | number | null | undefined)[])[]): string {
  const cells = [headings, ...rows].map((row) => row.map((cell) => (cell === null || cell === undefined ? '–' : String(cell))))
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  return cells.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n')
}
