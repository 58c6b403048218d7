import Type from 'typebox'
import { asHubError, type ErrorCode, type HubError } from '../../core/errors.ts'
import type { AvailabilityLine, AvailabilityResult } from '../../core/model/effects.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port } from '../_kit/define.ts'
import { sendFeed } from './feed.ts'
import { isByMerchant, listingPath, lookUp, shownQuantity } from './listings.ts'
import { patchOf, refused, type Target } from './patches.ts'
import { apiOf, type Settings } from './settings.ts'

/**
 * Lines of one push. Five quantities a second can be written one by one, a feed takes any number but one may be made every two minutes
 * only: up to `PATCHES_MAX` lines go one by one, more of them as one feed.
 */
export const LINES_MAX = 2_000
const PATCHES_MAX = 200

/** Where the type of a product is not known: it stands for all, and a quantity is the same attribute for every one. */
const ANY_TYPE = 'PRODUCT'

const open = { additionalProperties: true } as const
const readSubmission = checker(
  Type.Object(
    {
      status: Type.String(),
      issues: Type.Optional(Type.Array(Type.Object({ code: Type.String(), severity: Type.String() }, open))),
    },
    open,
  ),
  'vendor_response_invalid',
)

/**
 * Absolute quantities of our own goods, without compare-and-set and without a key; a repeated write of the same number does no harm.
 * The vendor takes what it is told into its own queue, and shows it some time later.
 */
export async function pushStock(
  port: Port<Settings>,
  lines: readonly AvailabilityLine[],
): Promise<AvailabilityResult[]> {
  const { targets, results } = await targetsOf(port, lines)
  if (targets.length === 0) return results
  const told = targets.length > PATCHES_MAX ? await sendFeed(port, targets) : await patchEach(port, targets)
  return [...results, ...told]
}

/**
 * A listing that no pull has shown us is looked at first. Told a quantity of ours, one that Amazon ships from its own shelves would
 * become one that we have to ship.
 */
async function targetsOf(
  port: Port<Settings>,
  lines: readonly AvailabilityLine[],
): Promise<{ targets: Target[]; results: AvailabilityResult[] }> {
  const nameless = lines.filter(({ external }) => external['product_type'] === undefined)
  const rows = await lookUp(port, nameless.map(({ channel_sku }) => channel_sku)) // prettier-ignore
  const targets: Target[] = []
  const results: AvailabilityResult[] = []
  for (const line of lines) {
    const known = line.external['product_type']
    const row = rows.get(line.channel_sku)
    if (known !== undefined) targets.push({ line, product_type: known })
    else if (row === undefined)
      results.push(refused(line, 'vendor_not_found', `Amazon has no listing ${line.channel_sku}`))
    else if (!isByMerchant(row))
      results.push(refused(line, 'vendor_rejected', 'Amazon ships this listing from its own shelves'))
    else targets.push({ line, product_type: row.summaries?.find((one) => one.productType)?.productType ?? ANY_TYPE })
  }
  return { targets, results }
}

/** Faults that say something about one listing and nothing about the others. */
const OF_ONE_LINE = new Set<ErrorCode>(['vendor_rejected', 'vendor_not_found', 'vendor_conflict', 'payload_too_large'])

/** Calls side by side. */
const TOGETHER = 5
const ROUNDS = 2

/**
 * Some side by side, the others after them. A line whose call had bad luck is tried once more at the end; when calls keep failing, what was
 * told until then is reported, and the rest stays due.
 */
async function patchEach(port: Port<Settings>, targets: readonly Target[]): Promise<AvailabilityResult[]> {
  const results: AvailabilityResult[] = []
  const failed: { target: Target; fault: HubError }[] = []
  let open = targets
  for (let round = 0; round < ROUNDS && open.length > 0; round += 1) {
    failed.length = 0
    for (let from = 0; from < open.length; from += TOGETHER) {
      const some = open.slice(from, from + TOGETHER)
      const told = await Promise.all(some.map((target) => patchOrFault(port, target)))
      const faults = told.flatMap((one) => ('fault' in one ? [one] : []))
      results.push(...told.flatMap((one) => ('fault' in one ? [] : [one])))
      failed.push(...faults)
      const [first] = faults
      if (first !== undefined && (first.fault.next === 'pause' || faults.length === some.length)) break
    }
    const is_broken = failed.length > 0 && results.length === 0
    open = is_broken ? [] : failed.map(({ target }) => target)
  }
  const [last] = failed
  // Without a single answer the fault is one of the whole call; otherwise the lines that are missing in the results stay due.
  if (results.length === 0 && last !== undefined) throw last.fault
  return results
}

type Told = AvailabilityResult | { target: Target; fault: HubError }

async function patchOrFault(port: Port<Settings>, target: Target): Promise<Told> {
  try {
    return await patchOne(port, target)
  } catch (thrown) {
    const fault = asHubError(thrown)
    return OF_ONE_LINE.has(fault.code) ? refused(target.line, fault.code, fault.message) : { target, fault }
  }
}

async function patchOne(port: Port<Settings>, target: Target): Promise<AvailabilityResult> {
  const { line, product_type } = target
  const answer = await port.http.request({
    operation: 'patchListingsItem',
    method: 'PATCH',
    path: listingPath(port, line.channel_sku),
    query: { marketplaceIds: apiOf(port.settings).marketplace_ids[0] },
    json: { productType: product_type, patches: [patchOf(target)] },
    repeat: 'safe',
    lane: 'realtime',
  })
  const { status, issues } = readSubmission(answer.body)
  if (status === 'ACCEPTED' || status === 'VALID') return { listing_id: line.listing_id, outcome: 'set' }
  const errors = (issues ?? []).filter(({ severity }) => severity === 'ERROR').map(({ code }) => code)
  return refused(line, 'vendor_rejected', `${status} ${errors.join(', ')}`.trim().slice(0, 200))
}

/** What buyers see now. A listing of which the store tells no quantity is left out: nothing is known of it then. */
export async function readStock(
  port: Port<Settings>,
  lines: readonly AvailabilityLine[],
): Promise<{ listing_id: number; quantity: number }[]> {
  const rows = await lookUp(port, lines.map(({ channel_sku }) => channel_sku)) // prettier-ignore
  return lines.flatMap(({ listing_id, channel_sku }) => {
    const row = rows.get(channel_sku)
    const quantity = row === undefined ? undefined : shownQuantity(row)
    return quantity === undefined ? [] : [{ listing_id, quantity }]
  })
}
