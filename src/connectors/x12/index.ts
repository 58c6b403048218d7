import { acknowledgement, interchangeAcknowledgement } from '../../mappings/x12/acknowledgement.ts'
import { order, orderChange } from '../../mappings/x12/order.ts'
import { shipment } from '../../mappings/x12/shipment.ts'
import { adjustment, receipt, stock } from '../../mappings/x12/stock.ts'
import { defineConnector, type FileStoreSettings } from '../_kit/define.ts'
import { answersTo } from './answers.ts'
import { parseIncoming } from './incoming.ts'
import { FILE_TYPE, TA1_TOPIC, TOPICS } from './sets.ts'
import { announcements, fulfillment, invoices, orderAnswers, shipments } from './outgoing.ts'
import { foldersOf, Settings } from './settings.ts'

const SFTP_PORT = 22
const SHRINK_MAX_PERCENT = 30

function isRead(name: string, { endings }: Pick<Settings, 'endings'>): boolean {
  const ending = /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  return endings === undefined || endings.some((one) => one.toLowerCase() === ending)
}

/** X12 over a folder or SFTP, with a 3PL or with a buyer. What is agreed with the partner is in the settings; see the README beside this. */
export const x12 = defineConnector({
  id: 'x12',
  label: 'X12 EDI partner',
  kind: '3pl',
  grade: 'simulator',
  settings: Settings,
  sample_folders: ['edi'],
  inbound: {
    shipment,
    receipt,
    adjustment,
    stock,
    order,
    order_change: orderChange,
    acknowledgement,
    [TA1_TOPIC]: interchangeAcknowledgement,
  },
  test: async ({ files, settings }) => {
    const { incoming } = foldersOf(settings)
    const waiting = (await files.list(incoming)).filter(({ name }) => isRead(name, settings))
    return `${incoming}/ can be read: ${waiting.length} files wait${waiting[0] === undefined ? '' : `, the first is ${waiting[0].name}`}`
  },
  fulfillment,
  announcements,
  orderAnswers,
  shipments,
  invoices,
  files: {
    store: ({ transport }): FileStoreSettings =>
      transport.kind === 'folder' ? transport : { ...transport, port: transport.port ?? SFTP_PORT },
    folders: (settings) => {
      const { archive: _partnersOwn, ...folders } = foldersOf(settings)
      return folders
    },
    // Names say nothing that can be relied on: what a file is, its content says.
    accepts: (name, settings) => (isRead(name, settings) ? { type: FILE_TYPE, sequence: null } : undefined),
    types: Object.fromEntries([...Object.values(TOPICS), TA1_TOPIC].map((topic) => [topic, FILE_TYPE])),
    parse: ({ name, bytes, modified_at_ms }, settings) => parseIncoming({ name, bytes, modified_at_ms }, settings),
    answers: answersTo,
    shrink_max: ({ shrink_max_percent }) => (shrink_max_percent ?? SHRINK_MAX_PERCENT) / 100,
  },
})
