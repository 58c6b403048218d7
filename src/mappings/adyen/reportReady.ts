import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { defineMapping, type MappingContext } from '../define.ts'

/**
 * Notifications of finished reports. Their signature covers the file's name (`pspReference`) and not the address of the download
 * (`reason`), so an address counts only where it leads to a file of that name. Other notifications and other reports say nothing here.
 */

const open = { additionalProperties: true } as const
const Item = Type.Object(
  {
    eventCode: Type.String(),
    success: Type.Union([Type.String(), Type.Boolean()]),
    pspReference: Type.String(),
    merchantAccountCode: Type.Optional(Type.String()),
    reason: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  },
  open,
)
type Item = Type.Static<typeof Item>

const REFERENCE_MAX = 200

export const adyenReportReady = defineMapping({
  from: Type.Object({ notificationItems: Type.Array(Type.Object({ NotificationRequestItem: Item }, open)) }, open),
  map: ({ notificationItems }, context) =>
    notificationItems.flatMap(({ NotificationRequestItem: item }, index) => {
      if (!isSettlementReport(item) || !isOurs(item, context)) return []
      const path = `$.notificationItems[${index}].NotificationRequestItem.reason`
      return [{ kind: 'signal' as const, document: { stream: 'reports' as const, reference: addressOf(item, path) } }]
    }),
})

export const isSettlementReport = ({ eventCode, success, pspReference }: Item): boolean =>
  eventCode === 'REPORT_AVAILABLE' &&
  String(success) === 'true' &&
  /settlement_detail_report.*\.csv/i.test(pspReference)

function isOurs({ merchantAccountCode, pspReference }: Item, { settings, warn }: MappingContext): boolean {
  const wanted = settings['merchant_account']
  if (wanted === undefined || wanted === merchantAccountCode) return true
  warn(`${pspReference.slice(0, 80)} is of merchant account ${String(merchantAccountCode).slice(0, 80)}`)
  return false
}

function addressOf({ reason, pspReference }: Item, path: string): string {
  const url = URL.parse(reason ?? '')
  if (url === null) throw new HubError('payload_invalid', 'is not an address', { path })
  if (!url.pathname.endsWith(`/${encodeURIComponent(pspReference)}`))
    throw new HubError('payload_invalid', 'leads to another file than the one that is announced', { path })
  if (url.href.length > REFERENCE_MAX) throw new HubError('payload_invalid', 'is too long an address', { path })
  return url.href
}
