import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FixtureOptions } from './queueFixture.ts'

export interface WorkerProcessOptions extends FixtureOptions {
  database_url: string
  redis_url: string
}

export interface WorkerProcess {
  child: ChildProcess
  kill: (signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM') => Promise<void>
}

/** A worker of its own: workers and sweeper over the fixture's connections, until it is killed. */
export async function startWorkerProcess(options: WorkerProcessOptions): Promise<WorkerProcess> {
  const child = fork(fileURLToPath(new URL('workerMain.ts', import.meta.url)), [JSON.stringify(options)], {
    execArgv: [],
  })
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the worker process ended before it was ready'))),
  ])
  return {
    child,
    kill: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = signal === 'SIGKILL' || signal === 'SIGTERM' ? once(child, 'exit') : Promise.resolve()
      child.kill(signal)
      await gone
    },
  }
}
