/** The smallest hub there is: starts the embedded database named by its argument, says its URL, and leaves in order on SIGTERM. */
import { startEmbedded } from '../../src/db/embedded.ts'

const quiet = (): void => undefined
const settings = { shared_buffers: '16MB', max_connections: '20' }
const server = await startEmbedded({
  data_dir: process.argv[2] ?? '',
  port: 0,
  settings,
  log: { info: quiet, warn: quiet, error: quiet },
})
console.log(server.url)
process.once('SIGTERM', () => {
  void server.stop().then(() => process.exit(0))
})
