import { InvalidArgumentError, Option } from 'commander'
import { PAGE_LIMIT_MAX } from '../db/page.ts'

/** Parsers of arguments and option values. What they refuse is a wrong command line: exit code 2, before anything is opened. */

/** The number by which the hub names an event, a dead letter or a file. */
export function idOf(text: string): number {
  if (!/^[1-9]\d{0,15}$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw new InvalidArgumentError('It is named by its number, as the list shows it.')
  }
  return Number(text)
}

/** For `[id...]`: commander hands over what it has collected so far. */
export const idsOf = (text: string, before: readonly number[] | undefined): number[] => [...(before ?? []), idOf(text)]

/** An instant as ISO 8601 with its zone; without one it would mean another moment on another machine. */
export function instantOf(text: string): Date {
  const instant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text)
    ? new Date(text)
    : undefined
  if (instant === undefined || Number.isNaN(instant.getTime())) {
    throw new InvalidArgumentError('Write an instant like 2026-11-21T08:00:00Z.')
  }
  return instant
}

/** A number above 0, such as seconds or orders a second. */
export function positiveNumber(text: string): number {
  const value = /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : 0
  if (value <= 0) throw new InvalidArgumentError('It must be a number above 0.')
  return value
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

function limitOf(text: string): number {
  const value = wholeNumber(text)
  if (value < 1 || value > PAGE_LIMIT_MAX) throw new InvalidArgumentError(`It must be from 1 to ${PAGE_LIMIT_MAX}.`)
  return value
}

/** How many rows a list shows, and where the page before it ended. */
export const limitOption = (preset: number): Option =>
  new Option('--limit <n>', `how many, at most ${PAGE_LIMIT_MAX}`).argParser(limitOf).default(preset)
export const cursorOption = (): Option => new Option('--cursor <text>', 'next_cursor of the page before')
export const connectionOption = (): Option => new Option('--connection <id>', 'only of this connection')

export const choiceOption = (flags: string, description: string, words: readonly string[]): Option =>
  new Option(flags, description).choices(words)
