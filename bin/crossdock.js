#!/usr/bin/env node
/**
 * Starts Crossdock on a Node that can run it.
 *
 * Plain JavaScript on purpose: this file must still parse and run on Node 20, because that is what many machines have.
 * A Node from 22.18 on strips types by itself and runs the command line in this very process. An older one hands over to
 * the Node that npm installed as a platform package, by running this same file again with it.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const NODE_MIN = [22, 18]
const launcher = fileURLToPath(import.meta.url)
const root = dirname(dirname(launcher))

/** True when this process can strip types and load our dependencies. */
function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])
}

/** The `node` binary of the platform package, or undefined where npm installed none (another system, optional packages left out). */
function platformNode() {
  const system = process.platform === 'win32' ? 'win' : process.platform
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-${system}-${process.arch}/package.json`)
    const binary = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(binary) ? binary : undefined
  } catch {
    return undefined
  }
}

/** A checkout runs its sources, so there is no build to forget; an installed package has only `dist`. */
function entryPoint() {
  return [join(root, 'src', 'cli', 'main.ts'), join(root, 'dist', 'cli', 'main.js')].find((file) => existsSync(file))
}

function refuse(reason) {
  console.error(`crossdock: ${reason}`)
  process.exit(1)
}

async function runHere() {
  const entry = entryPoint()
  if (entry === undefined) refuse('neither src/cli/main.ts nor dist/cli/main.js exists; run "npm run build" first.')
  if (process.channel) {
    // The channel closes when the launcher that started us is gone, even by SIGKILL. Without this the hub would live on
    // unseen, holding its port and its data directory.
    process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
    process.channel.unref()
  }
  await import(pathToFileURL(entry).href)
}

function runOn(binary) {
  const child = spawn(binary, [...process.execArgv, launcher, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C at a terminal reaches the child by itself; a second copy would read as "stop at once".
      if (signal !== 'SIGINT' || !atTerminal) child.kill(signal)
    })
  }
  child.on('error', (error) => refuse(`cannot run ${binary}: ${error.message}`))
  child.on('exit', (code, signal) => {
    // 128 + n is what a shell reports for a process ended by signal n.
    process.exit(signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0))
  })
}

if (isNewEnough(process.versions.node)) {
  await runHere()
} else {
  const binary = platformNode()
  if (binary === undefined) {
    refuse(
      `needs Node ${NODE_MIN.join('.')} or newer. This is Node ${process.versions.node}, and no Node package for ` +
        `${process.platform}-${process.arch} is installed. Install Node 24, or run "npm ci" without leaving out optional packages.`,
    )
  }
  runOn(binary)
}
