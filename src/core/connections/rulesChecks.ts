/** What looking at one thing of a connection has shown. `detail` names things, never people. */
export interface CheckResult {
  name: string
  ok: boolean
  detail: string
  /** When the key or certificate that was looked at ends. */
  expires_at: Date | null
}

export type CheckCase =
  | { kind: 'check_failed'; name: string; data: { check: string; detail: string } }
  | { kind: 'key_expires'; name: string; data: { check: string; detail: string; expires_at: string } }

export interface CheckCases {
  open: CheckCase[]
  /** Names whose cause is gone, among them checks that are not made any more. */
  close: { check_failed: string[]; key_expires: string[] }
}

const ANNOUNCED_MS = 14 * 86_400_000
const NAME_MAX = 60
const DETAIL_MAX = 200

/** As it may be kept: short, one of each name (the last one), with a time that is one. */
export function tidyChecks(
  checks: readonly { name: string; ok: boolean; detail: string; expires_at?: string }[],
): CheckResult[] {
  const tidy = checks.map(({ name, ok, detail, expires_at }): CheckResult => {
    const at_ms = Date.parse(expires_at ?? '')
    return {
      name: name.slice(0, NAME_MAX),
      ok,
      detail: detail.slice(0, DETAIL_MAX),
      expires_at: Number.isFinite(at_ms) ? new Date(at_ms) : null,
    }
  })
  return [...new Map(tidy.map((check) => [check.name, check])).values()]
}

/** Which cases an operator should see after these checks, given the names of the checks before. A key is announced 14 days ahead. */
export function casesOfChecks(checks: readonly CheckResult[], namesBefore: readonly string[], now: Date): CheckCases {
  const failed = checks.filter(({ ok }) => !ok)
  const ending = checks.flatMap((check) =>
    check.expires_at !== null && check.expires_at.getTime() - now.getTime() < ANNOUNCED_MS
      ? [{ ...check, expires_at: check.expires_at }]
      : [],
  )
  const names = [...new Set([...namesBefore, ...checks.map(({ name }) => name)])]
  const without = (open: readonly CheckResult[]): string[] =>
    names.filter((name) => !open.some((check) => check.name === name))
  return {
    open: [
      ...failed.map(({ name, detail }): CheckCase => ({ kind: 'check_failed', name, data: { check: name, detail } })),
      ...ending.map(({ name, detail, expires_at }): CheckCase => {
        const data = { check: name, detail, expires_at: expires_at.toISOString() }
        return { kind: 'key_expires', name, data }
      }),
    ],
    close: { check_failed: without(failed), key_expires: without(ending) },
  }
}
