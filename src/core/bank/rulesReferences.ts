/** How many references of one line are kept, and how long one may be. */
const FOUND_MAX = 50
const LENGTH_MAX = 64

/** Payout ids as gateways print them: a short prefix, an underscore, letters and digits. */
const PREFIXED = /\b[a-z]{2,6}_[A-Za-z0-9]{8,60}\b/g
/** Settlement numbers and trace ids: a run of letters and digits, perhaps with hyphens inside. */
const RUN = /[A-Za-z0-9](?:[A-Za-z0-9-]{6,62})[A-Za-z0-9]/g
const COMPACT_DAY = /^(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$/

/**
 * What in a bank line's text may be the name of a payout: ids with a prefix, and runs of eight or more letters and digits with at least
 * one digit among them, because eight letters alone are as likely somebody's name. Account numbers of persons (a valid IBAN) are left out,
 * and days. In the order of the text, each once.
 */
export function referencesIn(...texts: readonly (string | null)[]): string[] {
  const found = new Set<string>()
  for (const text of texts) {
    if (text === null) continue
    for (const [reference] of text.matchAll(PREFIXED)) found.add(reference)
    const withoutPrefixed = text.replace(PREFIXED, ' ')
    for (const [run] of withoutPrefixed.matchAll(RUN)) if (isReference(run)) found.add(run.slice(0, LENGTH_MAX))
  }
  return [...found].slice(0, FOUND_MAX)
}

const isReference = (run: string): boolean =>
  /\d/.test(run) && !COMPACT_DAY.test(run) && !/^\d{2,4}-\d{2}-\d{2,4}$/.test(run) && !isIban(run)

/** ISO 13616: the country and check digits moved to the end, letters as numbers from 10, modulo 97 is 1. */
export function isIban(text: string): boolean {
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(text)) return false
  const digits = (text.slice(4) + text.slice(0, 4)).replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55))
  return BigInt(digits) % 97n === 1n
}

/** Whether the bank's reference field may be kept in the open: an id of one word with a digit in it, and nobody's account. */
export const isPlainReference = (reference: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9_./+-]{1,99}$/.test(reference) && /\d/.test(reference) && !isIban(reference)
