import { readFileSync } from 'node:fs'

/**
 * `countTests.ts <report.json> <broken steps>` prints `N passed, N failed[, N skipped]` from the report that vitest wrote, and
 * exits 1 unless everything passed. A file that could not be loaded has no failed test of its own, and a runner that crashed
 * leaves no report: both are counted, because a count of zero failures must mean that there were none.
 */
interface Report {
  success: boolean
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: { status: string; assertionResults: { status: string }[] }[]
}

function readReport(path: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report
  } catch {
    return undefined
  }
}

function failuresOf(report: Report | undefined, brokenSteps: number): number {
  if (report === undefined) return Math.max(1, brokenSteps)
  const unloaded = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  )
  const failed = report.numFailedTests + unloaded.length
  // The step that ran failing tests is broken because of them; it is not one failure more.
  const explained = failed > 0 ? 1 : 0
  const nothingRan = report.numPassedTests === 0 ? 1 : 0
  return Math.max(failed + Math.max(0, brokenSteps - explained), report.success ? nothingRan : 1)
}

const [path = '', brokenSteps = '0'] = process.argv.slice(2)
const report = readReport(path)
const failed = failuresOf(report, Number(brokenSteps))
const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0)
console.log(`${report?.numPassedTests ?? 0} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 ? 1 : 0
