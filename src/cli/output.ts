import type { CommanderError } from 'commander'
import { configFaults } from '../config.ts'
import { asHubError, type ErrorCode, type HubError } from '../core/errors.ts'

/** Exit codes that other tools rely on: 0 done, 1 a check failed or a fault of ours, 2 bad input. */
export const EXIT = { ok: 0, failed: 1, bad_input: 2 } as const

const BAD_INPUT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'bad_request',
  'not_found',
  'unsupported',
  'conflict',
  'config_invalid',
  'payload_too_large',
  'payload_invalid',
  'mapping_broken',
  'file_invalid',
  'control_total_mismatch',
  'unknown_sku',
  'unknown_location',
])

export interface ReadOptions {
  json?: boolean
}

/** What `--json` prints when a command could not do its work. */
export interface ErrorDocument {
  ok: false
  error: { code: ErrorCode; message: string; path?: string; hint?: string; faults?: readonly object[] }
}

/** One JSON document on stdout, or the human text; never both. Every document says by `ok` whether all is well. */
export function print(options: ReadOptions, document: object, text: () => string): void {
  process.stdout.write(options.json === true ? `${JSON.stringify({ ok: true, ...document })}\n` : `${text()}\n`)
}

const exitCodeOf = (error: HubError): number => (BAD_INPUT.has(error.code) ? EXIT.bad_input : EXIT.failed)

/** A fault as data. Of a configuration with several faults the message is the first line, and `faults` lists them all. */
export function errorDocument(thrown: unknown): ErrorDocument {
  const { code, message, path, hint } = asHubError(thrown)
  const faults = configFaults(thrown)
  const place = path ?? faults[0]?.path
  return {
    ok: false,
    error: {
      code,
      message: faults.length === 0 ? message : (message.split('\n')[0] ?? message),
      ...(place === undefined ? {} : { path: place }),
      ...(hint === undefined ? {} : { hint }),
      ...(faults.length === 0 ? {} : { faults }),
    },
  }
}

/** `{"ok":false,"error":{…}}` on stdout for tools, a sentence with the hint on stderr for people. Returns the exit code. */
export function printError(options: ReadOptions, thrown: unknown): number {
  const error = asHubError(thrown)
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(errorDocument(thrown))}\n`)
  } else {
    // `$` is the whole document: it says nothing to a person.
    const place =
      error.path === undefined || error.path === '$' || error.message.includes(error.path) ? '' : ` (at ${error.path})`
    process.stderr.write(`${error.code}: ${error.message}${place}\n`)
    if (error.hint !== undefined) process.stderr.write(`  ${error.hint}\n`)
  }
  return exitCodeOf(error)
}

/** Help and version end the parse by throwing; everything else that commander throws is a wrong command line, told on stderr already. */
export function printUsage(options: ReadOptions, thrown: CommanderError): number {
  if (thrown.exitCode === 0) return EXIT.ok
  if (options.json === true) {
    const isHelp = thrown.code === 'commander.help' || thrown.code === 'commander.helpDisplayed'
    const message = isHelp ? 'a command is missing' : thrown.message.replace(/^error: /, '').split('\n')[0]
    const error = { code: 'bad_request', message, hint: 'crossdock --help lists the commands' }
    process.stdout.write(`${JSON.stringify({ ok: false, error })}\n`)
  }
  return EXIT.bad_input
}

type Cell = string | number | null | undefined

/** Columns as wide as their widest cell; the last one is left ragged. */
export function table(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = [headings, ...rows].map((row) => row.map(cellText))
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return lines.join('\n')
}

/** Vendors' texts may hold line ends and escape sequences, which would tear a table or drive the terminal. */
const cellText = (cell: Cell): string => (cell === null || cell === undefined ? '–' : printable(String(cell)))

export function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ')
}
