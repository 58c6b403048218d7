import { HubError } from '../core/errors.ts'

export const ROLES = ['viewer', 'operator', 'finance', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** `public`: anyone, because the route protects itself (a signature, a password) or has nothing to hide. */
export type Minimum = 'public' | Role

/** Which roles have the rights of which. Finance is a reader with an eye on money, not an operator. */
const INCLUDES: Record<Role, readonly Role[]> = {
  viewer: ['viewer'],
  operator: ['viewer', 'operator'],
  finance: ['viewer', 'finance'],
  admin: ROLES,
}

/** Whether somebody with `role` may use a route that asks for `minimum`. */
export const grants = (role: Role, minimum: Minimum): boolean =>
  minimum === 'public' || INCLUDES[role].includes(minimum)

/**
 * Who may use which route: the one table of the whole server. `GET` stands for `HEAD` too; a trailing `*` covers everything below, and
 * the first row that fits decides. A route that no row fits stops the server at boot.
 */
const POLICIES: readonly (readonly [method: string, url: string, minimum: Minimum])[] = [
  ['GET', '/healthz', 'public'],
  ['GET', '/readyz', 'public'],
  // Asks for the loopback interface or a key itself: a scraper has no session.
  ['GET', '/metrics', 'public'],
  ['POST', '/webhooks/:connection', 'public'],
  ['GET', '/assets/*', 'public'],
  ['GET', '/login', 'public'],
  ['POST', '/login', 'public'],
  ['POST', '/logout', 'public'],
  ['GET', '/docs*', 'public'],
  ['GET', '/', 'viewer'],
  ['GET', '/queues*', 'viewer'],
  ['POST', '/queues*', 'operator'],
  ['PUT', '/queues*', 'operator'],
  ['PATCH', '/queues*', 'operator'],
  ['DELETE', '/queues*', 'operator'],

  ['GET', '/api/v1/orders', 'viewer'],
  ['GET', '/api/v1/orders/:id', 'viewer'],
  ['GET', '/api/v1/orders/:id/person', 'operator'],
  ['POST', '/api/v1/orders/:id/hold', 'operator'],
  ['POST', '/api/v1/orders/:id/release', 'operator'],
  ['GET', '/api/v1/fulfillment-orders', 'viewer'],
  ['GET', '/api/v1/fulfillment-orders/:number', 'viewer'],
  ['POST', '/api/v1/fulfillment-orders/:number/accept', 'operator'],
  ['POST', '/api/v1/fulfillment-orders/:number/reject', 'operator'],
  ['POST', '/api/v1/fulfillment-orders/:number/short', 'operator'],
  ['POST', '/api/v1/fulfillment-orders/:number/ship', 'operator'],
  ['POST', '/api/v1/fulfillment-orders/:number/rates', 'operator'],
  ['POST', '/api/v1/fulfillment-orders/:number/skip-label', 'operator'],
  ['GET', '/api/v1/labels', 'viewer'],
  ['GET', '/api/v1/labels/:reference', 'viewer'],
  ['GET', '/api/v1/labels/:reference/file', 'operator'],
  ['POST', '/api/v1/labels/:reference/buy', 'operator'],
  ['POST', '/api/v1/labels/:reference/void', 'operator'],
  ['GET', '/api/v1/holds', 'operator'],
  ['POST', '/api/v1/holds', 'operator'],
  ['GET', '/api/v1/holds/:id', 'operator'],
  ['POST', '/api/v1/holds/:id/extend', 'operator'],
  ['POST', '/api/v1/holds/:id/order', 'operator'],
  ['DELETE', '/api/v1/holds/:id', 'operator'],
  ['GET', '/api/v1/supplies', 'viewer'],
  ['GET', '/api/v1/supplies/:id', 'viewer'],
  ['PUT', '/api/v1/supplies', 'operator'],
  ['POST', '/api/v1/supplies/:id/receive', 'operator'],
  ['POST', '/api/v1/supplies/:id/cancel', 'operator'],
  ['GET', '/api/v1/transfers', 'viewer'],
  ['POST', '/api/v1/transfers', 'operator'],
  ['POST', '/api/v1/transfers/:id/receive', 'operator'],
  ['POST', '/api/v1/transfers/:id/cancel', 'operator'],
  ['GET', '/api/v1/stock', 'viewer'],
  ['GET', '/api/v1/stock/:sku', 'viewer'],
  ['POST', '/api/v1/stock/movements', 'operator'],
  ['GET', '/api/v1/stock/movements', 'viewer'],
  ['POST', '/api/v1/stock/movements/:id/approve', 'operator'],
  ['POST', '/api/v1/stock/movements/:id/reject', 'operator'],
  ['GET', '/api/v1/stock/lots', 'viewer'],
  ['POST', '/api/v1/cycle-counts', 'operator'],
  ['GET', '/api/v1/cycle-counts', 'viewer'],
  ['GET', '/api/v1/cycle-counts/:id', 'viewer'],
  ['POST', '/api/v1/cycle-counts/:id/lines', 'operator'],
  ['POST', '/api/v1/cycle-counts/:id/approve', 'operator'],
  ['POST', '/api/v1/cycle-counts/:id/reject', 'operator'],
  ['GET', '/api/v1/stock-rules', 'viewer'],
  ['PUT', '/api/v1/stock-rules', 'operator'],
  ['DELETE', '/api/v1/stock-rules', 'operator'],
  ['GET', '/api/v1/answers', 'viewer'],
  ['GET', '/api/v1/cases', 'viewer'],
  ['POST', '/api/v1/cases/:id/resolve', 'operator'],
  ['POST', '/api/v1/companies/:id/peak', 'operator'],
  ['GET', '/api/v1/listings', 'viewer'],
  ['POST', '/api/v1/listings/map', 'operator'],
  ['GET', '/api/v1/inbox', 'viewer'],
  ['GET', '/api/v1/inbox/:id', 'viewer'],
  ['POST', '/api/v1/inbox/:id/replay', 'operator'],
  ['POST', '/api/v1/inbox/replay', 'operator'],
  ['GET', '/api/v1/files', 'viewer'],
  ['POST', '/api/v1/files/:id/confirm', 'operator'],
  ['POST', '/api/v1/files/:id/reject', 'operator'],
  ['GET', '/api/v1/outbox', 'viewer'],
  ['GET', '/api/v1/outbox/:id', 'viewer'],
  ['GET', '/api/v1/dead-letters', 'viewer'],
  ['POST', '/api/v1/dead-letters/:id/replay', 'operator'],
  ['POST', '/api/v1/dead-letters/:id/drop', 'operator'],
  ['POST', '/api/v1/dead-letters/replay', 'operator'],
  ['GET', '/api/v1/breaks', 'viewer'],
  ['GET', '/api/v1/breaks/totals', 'viewer'],
  ['GET', '/api/v1/breaks/:id', 'viewer'],
  ['POST', '/api/v1/breaks/:id/assign', 'finance'],
  ['POST', '/api/v1/breaks/:id/explain', 'finance'],
  ['POST', '/api/v1/breaks/:id/write-off', 'finance'],
  ['POST', '/api/v1/breaks/:id/approve', 'finance'],
  ['POST', '/api/v1/breaks/:id/reject', 'finance'],
  ['POST', '/api/v1/breaks/:id/resolve', 'finance'],
  ['POST', '/api/v1/breaks/:id/reopen', 'finance'],
  ['POST', '/api/v1/breaks/:id/comment', 'finance'],
  ['GET', '/api/v1/fees/audit', 'viewer'],
  ['GET', '/api/v1/fees/audit/totals', 'viewer'],
  ['GET', '/api/v1/fees/contribution', 'finance'],
  ['GET', '/api/v1/fees/tariffs', 'viewer'],
  ['PUT', '/api/v1/fees/tariffs', 'finance'],
  ['POST', '/api/v1/fees/costs', 'finance'],
  ['GET', '/api/v1/settlements', 'viewer'],
  ['POST', '/api/v1/settlements/check', 'finance'],
  ['POST', '/api/v1/settlements/import', 'finance'],
  ['GET', '/api/v1/settlements/:id', 'viewer'],
  ['GET', '/api/v1/settlements/:id/summary', 'viewer'],
  ['POST', '/api/v1/settlements/run', 'finance'],
  ['GET', '/api/v1/matches/suggestions', 'viewer'],
  ['GET', '/api/v1/matches/:id', 'viewer'],
  ['POST', '/api/v1/matches/:id/accept', 'finance'],
  ['POST', '/api/v1/matches/:id/reject', 'finance'],
  ['GET', '/api/v1/settlements/:id/bridge', 'viewer'],
  ['GET', '/api/v1/settlements/:id/bridge.svg', 'viewer'],
  ['POST', '/api/v1/settlements/:id/accept-proof', 'finance'],
  ['GET', '/api/v1/journals', 'viewer'],
  ['GET', '/api/v1/journals/export', 'finance'],
  ['GET', '/api/v1/journals/:id', 'viewer'],
  ['GET', '/api/v1/close/:period', 'viewer'],
  ['GET', '/api/v1/periods', 'viewer'],
  ['POST', '/api/v1/periods/:period/lock', 'finance'],
  ['POST', '/api/v1/periods/:period/unlock', 'finance'],
  ['GET', '/api/v1/bank-statements', 'viewer'],
  ['POST', '/api/v1/bank-statements', 'finance'],
  ['POST', '/api/v1/bank-statements/:id/accept', 'finance'],
  ['GET', '/api/v1/bank-statements/:id/lines', 'viewer'],
  ['GET', '/api/v1/erp/documents', 'viewer'],
  ['GET', '/api/v1/erp/documents/:id', 'viewer'],
  ['POST', '/api/v1/erp/documents/:id/resend', 'operator'],
  ['GET', '/api/v1/erp/check', 'viewer'],
  ['GET', '/api/v1/routing/rules', 'viewer'],
  ['GET', '/api/v1/routing/rules/:version', 'viewer'],
  ['POST', '/api/v1/routing/rules', 'operator'],
  ['POST', '/api/v1/routing/rules/:version/activate', 'operator'],
  ['POST', '/api/v1/routing/explain', 'viewer'],
  ['GET', '/api/v1/connections', 'viewer'],
  ['GET', '/api/v1/connections/:id', 'viewer'],
  ['POST', '/api/v1/connections/:id/test', 'operator'],
  ['POST', '/api/v1/connections/:id/pause', 'operator'],
  ['POST', '/api/v1/connections/:id/resume', 'operator'],
  ['GET', '/api/v1/api-keys', 'admin'],
  ['POST', '/api/v1/api-keys', 'admin'],
  ['DELETE', '/api/v1/api-keys/:id', 'admin'],
]

/** What the table says of a route. `internal` when it says nothing: better no server than an open door. */
export function policyOf(method: string, url: string): Minimum {
  const asked = method === 'HEAD' ? 'GET' : method
  const row = POLICIES.find(([rowMethod, pattern]) => rowMethod === asked && fits(pattern, url))
  if (row === undefined)
    throw new HubError('internal', `${method} ${url} has no policy: say in http/policies.ts who may use it`)
  return row[2]
}

/** `/queues*` covers `/queues` and `/queues/…`, but not `/queues-of-others`. */
function fits(pattern: string, url: string): boolean {
  if (!pattern.endsWith('*')) return pattern === url
  const base = pattern.replace(/\/?\*$/, '')
  return url.startsWith(`${base}/`) || (url === base && !pattern.endsWith('/*')) || url === pattern
}
