import type { Delimiters } from './delimiters.ts'

/** One segment as it was written: `W12*CC*10*10` is `['W12', 'CC', '10', '10']`. */
export type Segment = readonly string[]

/** A stretch of the text that holds one segment, without its terminator. */
export interface Span {
  start: number
  end: number
}

const isLineBreak = (char: string): boolean => char === '\n' || char === '\r'

/**
 * The segments between two places of the text, one after the other. Line breaks around segments are how files are made readable and mean
 * nothing; where the terminator is a line break, `\r\n`, `\n` and `\r` are the same. What follows the last terminator is given as
 * a last span with `open`, because it was cut off.
 */
export function* spansOf(
  text: string,
  { start, end }: Span,
  delimiters: Delimiters,
): Generator<Span & { open: boolean }> {
  const byLine = isLineBreak(delimiters.segment)
  let at = start
  while (at < end) {
    while (at < end && isLineBreak(text.charAt(at))) at += 1
    if (at >= end) return
    const found = byLine ? nextLineBreak(text, at) : text.indexOf(delimiters.segment, at)
    const closed = found >= 0 && found < end
    const stop = closed ? found : end
    const last = closed ? stop : trimEnd(text, at, stop)
    if (last > at) yield { start: at, end: last, open: !closed }
    at = stop + 1
  }
}

function nextLineBreak(text: string, from: number): number {
  const feed = text.indexOf('\n', from)
  const carriage = text.indexOf('\r', from)
  if (feed < 0 || carriage < 0) return Math.max(feed, carriage)
  return Math.min(feed, carriage)
}

function trimEnd(text: string, start: number, end: number): number {
  let last = end
  while (last > start && /\s/.test(text.charAt(last - 1))) last -= 1
  return last
}

/** Files that were wrapped to a width have line breaks in the middle of things; they are no part of any element. */
export function elementsOf(text: string, { start, end }: Span, { element }: Delimiters): string[] {
  const written = text.slice(start, end)
  return (written.includes('\n') || written.includes('\r') ? written.replaceAll(/[\r\n]/g, '') : written).split(element)
}

/** The segment's name without taking it apart: what is before its first divider. */
export function nameOf(text: string, { start, end }: Span, { element }: Delimiters): string {
  const stop = text.indexOf(element, start)
  const name = text.slice(start, stop < 0 || stop > end ? end : stop)
  return name.length > 3 ? name.replaceAll(/[\r\n]/g, '') : name
}

/** All segments of a short text, taken apart. */
export function segmentsOf(text: string, delimiters: Delimiters): string[][] {
  return [...spansOf(text, { start: 0, end: text.length }, delimiters)].map((span) =>
    elementsOf(text, span, delimiters),
  )
}
