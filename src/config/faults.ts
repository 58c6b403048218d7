import { HubError } from '../core/errors.ts'

/** Position in a document: property names and array indexes from the root. */
export type Path = readonly (string | number)[]

export interface ConfigFault {
  /** `connections[1].settings.token` */
  path: string
  /** 1-based line in `file`; 0 when the fault has no place in it. */
  line: number
  message: string
  /** What would have been right, where that is a short list. */
  allowed?: string[]
  /** Named when the fault is in another file than the configuration itself. */
  file?: string
}

const ALLOWED_MAX = 30

/** `['connections', 1, 'settings', 'token']` → `connections[1].settings.token`. */
function pathText(path: Path): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  )
}

export function fault(path: Path, line: number, message: string, allowed?: Iterable<string>): ConfigFault {
  const list = allowed === undefined ? undefined : [...allowed].slice(0, ALLOWED_MAX)
  return { path: pathText(path), line, message, ...(list === undefined ? {} : { allowed: list }) }
}

/** All faults of a file as one error: the message lists them by line, `configFaults` gives them back as data. */
export function configError(file: string, faults: readonly ConfigFault[]): HubError {
  const sorted = faults.toSorted((a, b) => (a.file ?? '').localeCompare(b.file ?? '') || a.line - b.line)
  const lines = sorted.map((entry) => {
    const allowed =
      entry.allowed === undefined
        ? ''
        : `; allowed: ${entry.allowed.length === 0 ? '(none defined)' : entry.allowed.join(', ')}`
    return `  ${entry.file ?? file}:${entry.line}  ${entry.path === '' ? '' : `${entry.path}: `}${entry.message}${allowed}`
  })
  const count = sorted.length === 1 ? '1 fault' : `${sorted.length} faults`
  return new HubError('config_invalid', `${count} in the configuration\n${lines.join('\n')}`, { cause: sorted })
}

/** The faults inside an error of `loadConfig`; empty for any other error. */
export function configFaults(thrown: unknown): readonly ConfigFault[] {
  const isOurs = thrown instanceof HubError && thrown.code === 'config_invalid' && Array.isArray(thrown.cause)
  return isOurs ? (thrown.cause as readonly ConfigFault[]) : []
}
