/**
 * Puts `crossdock` into node_modules/.bin of a checkout, so that `npx crossdock` finds it without asking any registry.
 *
 * npm links the commands of dependencies only, never those of the root package. npx makes up for that with a link of its
 * own in the user's cache, which goes stale: one call made before the launcher existed leaves "crossdock: not found"
 * behind for good, and a read-only home has no cache at all.
 *
 * Runs as the root's `dependencies` script, which npm calls whenever it has changed node_modules. Not as `prepare` or
 * `postinstall`: npx counts those as install scripts of the package it links, and strict-allow-scripts then refuses to run
 * it. Plain JavaScript, because the Node at hand during `npm ci` may be 20.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join(root, 'node_modules', '.bin')

// Without node_modules there is nothing to link into: somebody packs the sources.
if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })) {
  mkdirSync(folder, { recursive: true })
  if (process.platform === 'win32') {
    writeFileSync(join(folder, 'crossdock.cmd'), '@node "%~dp0..\\..\\bin\\crossdock.js" %*\r\n')
  } else {
    rmSync(join(folder, 'crossdock'), { force: true })
    symlinkSync('../../bin/crossdock.js', join(folder, 'crossdock'))
    // An archive of the sources may have lost the executable bit.
    chmodSync(join(root, 'bin', 'crossdock.js'), 0o755)
  }
}
