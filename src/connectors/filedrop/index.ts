import { ack, receipt, returned, shipment, stock } from '../../mappings/filedrop/facts.ts'
import { defineConnector, type FileStoreSettings } from '../_kit/define.ts'
import { parseIncoming, readName, TYPES } from './incoming.ts'
import { acknowledgementFile, fulfillment } from './outgoing.ts'
import { foldersOf, Settings } from './settings.ts'

const SFTP_PORT = 22
const SHRINK_MAX_PERCENT = 30

/** Any 3PL that exchanges CSV files, in a folder or over SFTP. The format is in the README beside this file. */
export const filedrop = defineConnector({
  id: 'filedrop',
  label: '3PL file drop (CSV)',
  kind: '3pl',
  grade: 'simulator',
  settings: Settings,
  inbound: { shipment, stock, receipt, ack, return: returned },
  test: async ({ files, settings }) => {
    const { incoming } = foldersOf(settings)
    const waiting = (await files.list(incoming)).filter(({ name }) => readName(name, settings) !== undefined)
    return `${incoming}/ can be read: ${waiting.length} files wait${waiting[0] === undefined ? '' : `, the first is ${waiting[0].name}`}`
  },
  fulfillment,
  files: {
    store: ({ transport }): FileStoreSettings =>
      transport.kind === 'folder' ? transport : { ...transport, port: transport.port ?? SFTP_PORT },
    folders: (settings) => {
      const { archive: _partnersOwn, ...folders } = foldersOf(settings)
      return folders
    },
    accepts: (name, settings) => {
      const read = readName(name, settings)
      return read === undefined ? undefined : { type: read.type, sequence: read.sequence }
    },
    types: TYPES,
    parse: ({ type, ...file }, settings) => parseIncoming(type === undefined ? file : { ...file, type }, settings),
    acknowledgement: (file, result) => acknowledgementFile(file, result),
    shrink_max: ({ shrink_max_percent }) => (shrink_max_percent ?? SHRINK_MAX_PERCENT) / 100,
  },
})
