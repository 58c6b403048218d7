import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { EffectResult, ErpRequest } from '../../../src/core/model/effects.ts'

export interface Work {
  settings: Readonly<Record<string, unknown>>
  request: ErpRequest
}

/** `again`: a fault that passes by itself, after which the hub tells the document again. */
export type WriterAnswer = { end: 'told'; result: EffectResult } | { end: 'again' | 'fault'; detail: string }
export type WriterEnd = WriterAnswer | { end: 'killed' }

export interface Writer {
  write: (work: Work) => Promise<WriterEnd>
  kill: () => void
}

export interface Writers {
  /** The writer that lives, or the next one. */
  living: () => Promise<Writer>
  deaths: () => number
  stop: () => Promise<void>
}

interface Child extends Writer {
  ready: Promise<void>
  gone: Promise<void>
  isGone: () => boolean
}

/** Writers one after the other. The heir of the one at work is started beforehand, so that it takes over as soon as that one is dead. */
export function openWriters(): Writers {
  // What one of them has compiled the others need not compile again.
  const compiled = mkdtempSync(join(tmpdir(), 'crossdock-writers-'))
  let current = startChild(compiled)
  let heir = startChild(compiled)
  let deaths = 0
  return {
    living: async () => {
      if (current.isGone()) {
        deaths += 1
        current = heir
        heir = startChild(compiled)
      }
      await current.ready
      return current
    },
    deaths: () => deaths,
    stop: async () => {
      for (const child of [current, heir]) child.kill()
      await Promise.all([current.gone, heir.gone])
      rmSync(compiled, { recursive: true, force: true })
    },
  }
}

function startChild(compiled: string): Child {
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled }
  const child = fork(fileURLToPath(new URL('writerMain.ts', import.meta.url)), [], { execArgv: [], env })
  let gone = false
  const exited = once(child, 'exit').then(([code, signal]) => {
    gone = true
    return { code: code as number | null, signal: signal as string | null }
  })
  const ready = Promise.race([
    once(child, 'message').then(() => undefined),
    exited.then(() => Promise.reject(new Error('the writer ended before it was ready'))),
  ])
  // A writer that is stopped before it was ever needed is nobody's fault.
  ready.catch(() => undefined)
  return {
    ready,
    gone: exited.then(() => undefined),
    isGone: () => gone,
    kill: () => void child.kill('SIGKILL'),
    write: async (work) => {
      const answered = once(child, 'message').then(([answer]) => answer as WriterAnswer)
      child.send(work)
      return await Promise.race([
        answered,
        exited.then(({ code, signal }): WriterEnd => {
          if (signal === 'SIGKILL') return { end: 'killed' }
          throw new Error(`the writer ended by itself with ${signal ?? code}`)
        }),
      ])
    },
  }
}
