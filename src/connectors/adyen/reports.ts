import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port, Report, Reports } from '../_kit/define.ts'
import type { AdyenSettings } from './settings.ts'

const REPORT_BYTES_MAX = 256 * 1024 ** 2
/** Batches are numbered without a gap; a jump further than this is another count. */
const MISSED_MAX = 50
const BATCH = /^(.*settlement_detail_report_batch_)(\d{1,9})(\.csv.*)$/i

const readCursor = checker(Type.Object({ batches: Type.Record(Type.String(), Type.Integer()) }), 'internal')

/**
 * Settlement detail reports as they are announced. There is no list of them, but their batches are counted: between the last one and a new
 * one stand those whose announcement got lost, and they are asked for too.
 */
export const reports: Reports<AdyenSettings> = async function* (port, { announced, cursor }) {
  if (announced.length === 0) return
  const batches = cursor === null ? {} : { ...readCursor(JSON.parse(cursor)).batches }
  const addresses = new Set<string>()
  for (const address of announced) {
    for (const missed of missedBefore(address, batches)) addresses.add(missed)
    addresses.add(address)
  }
  yield {
    reports: [...addresses].map((address) => reportAt(port, address)),
    cursor: JSON.stringify({ batches }),
  }
}

/** Remembers the batch of the address, and gives the addresses between it and the one before. */
function missedBefore(address: string, batches: Record<string, number>): string[] {
  const [, before = '', digits = '', after = ''] = BATCH.exec(address) ?? []
  if (digits === '') return []
  const batch = Number(digits)
  const known = batches[before]
  if (known === undefined || batch > known) batches[before] = batch
  const missing = known === undefined ? 0 : batch - known - 1
  if (missing < 1 || missing > MISSED_MAX) return []
  return Array.from({ length: missing }, (_, index) => `${before}${batch - missing + index}${after}`)
}

const reportAt = (port: Port<AdyenSettings>, address: string): Report => ({
  reference: address,
  name: (URL.parse(address)?.pathname.split('/').at(-1) ?? address).slice(0, 200),
  read: () => download(port, address),
})

async function download(port: Port<AdyenSettings>, url: string): Promise<Buffer> {
  const { report_user, report_password } = port.settings
  if (report_user === undefined || report_password === undefined)
    throw new HubError('vendor_auth', 'report.download: no report user is configured', {
      hint: 'set report_user and report_password',
    })
  const authorization = `Basic ${Buffer.from(`${report_user}:${report_password}`).toString('base64')}`
  const operation = 'report.download'
  try {
    const bytes = await port.http.transfer({ operation, method: 'GET', url, headers: { authorization }, bytes_max: REPORT_BYTES_MAX }) // prettier-ignore
    if (/^\s*<(!doctype|html)/i.test(bytes.subarray(0, 200).toString('latin1')))
      throw new HubError('vendor_response_invalid', `${operation} answered with a page instead of a report`)
    return bytes
  } catch (thrown) {
    // The address is no secret that lapses: who is refused here has the wrong name, password or role.
    if (thrown instanceof HubError && (thrown.status === 401 || thrown.status === 403))
      throw new HubError('vendor_auth', `${operation} answered ${thrown.status}`, {
        status: thrown.status,
        cause: thrown,
        hint: 'the report user needs the role Merchant Report Download',
      })
    throw thrown
  }
}
