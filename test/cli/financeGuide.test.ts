import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { buildProgram } from '../../src/cli/main.ts'

const GUIDE = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'guides', 'finance.md'), 'utf8')
const program = buildProgram()
const child = (parent: Command, name: string): Command | undefined =>
  parent.commands.find((each) => each.name() === name)

/** Command lines of the guide, in blocks and in the text. */
const lines = [...GUIDE.matchAll(/crossdock ([a-z-]+(?: [^\n`#]*)?)/g)].map(([, line = '']) => line.trim())

describe('the finance guide', () => {
  it.each([...new Set(lines)])('names a command that exists: %s', (line) => {
    const [group = '', verb = '', ...rest] = line.split(/\s+/)
    const parent = child(program, group)
    expect(parent, group).toBeDefined()
    const command = parent === undefined || parent.commands.length === 0 ? parent : child(parent, verb)
    expect(command, `${group} ${verb}`).toBeDefined()
    const known = new Set([...(command?.options ?? []).map(({ long }) => long), '--help'])
    expect(rest.filter((word) => word.startsWith('--') && !known.has(word))).toEqual([])
  })

  it('has been read', () => {
    expect(lines.length).toBeGreaterThan(25)
  })
})
