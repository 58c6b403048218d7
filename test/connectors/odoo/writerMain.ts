import { flushCompileCache } from 'node:module'
import { asHubError } from '../../../src/core/errors.ts'
import { send } from './liveServer.ts'
import type { Work, WriterAnswer } from './writers.ts'

/** A process that tells an ERP one document at a time, as a worker of the hub does, until somebody kills it. */
process.on('message', (work: Work) => {
  void write(work).then((answer) => process.send?.(answer))
})
// Who is killed does not come to write it down at its end.
flushCompileCache()
process.send?.('ready')

async function write({ settings, request }: Work): Promise<WriterAnswer> {
  try {
    const [result] = await send(settings, request)
    return result === undefined ? { end: 'fault', detail: 'no result' } : { end: 'told', result }
  } catch (thrown) {
    const { next, code, message } = asHubError(thrown)
    return { end: next === 'retry' ? 'again' : 'fault', detail: `${code} ${message}` }
  }
}
