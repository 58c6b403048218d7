import { NAMED_MAX } from './evidence.ts'
import type { ExpectedBreak, Planted } from './plants.ts'

export interface BreaksJudged {
  breaks_planted: number
  breaks_found: number
  breaks_missed: number
  /** What the hub calls a break and nobody has planted. */
  breaks_unplanted: number
  /** Those that were planted and found. */
  break_types: Record<string, number>
  missed_breaks: string[]
  unplanted_breaks: string[]
}

const nameOf = ({ type, about, amount_minor }: ExpectedBreak): string => `${type} ${about} ${amount_minor}`

/** Holds what was planted against what the hub has found: the type, what it is about, and the amount to the cent. */
export function judgeBreaks(planted: readonly Planted[], found: readonly ExpectedBreak[]): BreaksJudged {
  const wanted = planted.flatMap(({ breaks }) => breaks)
  const left = new Map<string, number>()
  for (const each of found) left.set(nameOf(each), (left.get(nameOf(each)) ?? 0) + 1)
  const missed: string[] = []
  const types: Record<string, number> = {}
  for (const each of wanted) {
    const count = left.get(nameOf(each)) ?? 0
    if (count === 0) missed.push(nameOf(each))
    else {
      left.set(nameOf(each), count - 1)
      types[each.type] = (types[each.type] ?? 0) + 1
    }
  }
  const unplanted = [...left].flatMap(([name, count]) => Array.from({ length: count }, () => name))
  return {
    breaks_planted: wanted.length,
    breaks_found: wanted.length - missed.length,
    breaks_missed: missed.length,
    breaks_unplanted: unplanted.length,
    break_types: types,
    missed_breaks: missed.slice(0, NAMED_MAX),
    unplanted_breaks: unplanted.slice(0, NAMED_MAX),
  }
}
