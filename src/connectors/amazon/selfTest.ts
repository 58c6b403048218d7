import Type from 'typebox'
import { asHubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import { marketplaceOf } from '../../mappings/amazon/marketplaces.ts'
import type { HttpAnswer, Port, SelfCheck } from '../_kit/define.ts'
import type { Settings } from './settings.ts'

const open = { additionalProperties: true } as const
const readParticipations = checker(
  Type.Object(
    {
      payload: Type.Array(
        Type.Object(
          {
            marketplace: Type.Object({ id: Type.String(), name: Type.Optional(Type.String()) }, open),
            participation: Type.Object({ isParticipating: Type.Boolean() }, open),
          },
          open,
        ),
      ),
    },
    open,
  ),
  'vendor_response_invalid',
)
/** Notifications and addresses of documents lapse within minutes, so a clock that is off by one is worth a word. */
const CLOCK_OFF_MS_MAX = 60_000

const participations = (port: Port<Settings>): Promise<HttpAnswer> =>
  port.http.request({
    operation: 'getMarketplaceParticipations',
    method: 'GET',
    path: '/sellers/v1/marketplaceParticipations',
    repeat: 'safe',
  })

export async function showStores(port: Port<Settings>): Promise<string> {
  if (port.settings.api === undefined) return 'no account: payout files alone are read'
  const { payload } = readParticipations((await participations(port)).body)
  const stores = payload.filter(({ participation }) => participation.isParticipating)
  return `sells in ${stores.length} stores: ${stores.map(({ marketplace: { id, name } }) => name ?? id).join(', ')}`.slice(
    0,
    300,
  )
}

/** Looks at the account's stores, the clock, and whether the queue answers. */
export async function selfTest(port: Port<Settings>, now: Date): Promise<SelfCheck[]> {
  const { api, queue } = port.settings
  if (api === undefined) return [{ name: 'account', ok: true, detail: 'none: payout files alone are read' }]
  const checks: SelfCheck[] = []
  const run = async (name: string, look: () => Promise<SelfCheck[]>): Promise<void> => {
    try {
      checks.push(...(await look()))
    } catch (thrown) {
      const { code, message } = asHubError(thrown)
      checks.push({ name, ok: false, detail: `${code}: ${message}`.slice(0, 300) })
    }
  }
  await run('account', async () => {
    const answer = await participations(port)
    return [clockOf(answer, now), ...storesOf(answer, api)]
  })
  await run('queue', async () => {
    if (queue === undefined)
      return [{ name: 'queue', ok: false, detail: 'none: changed orders are found by the search alone, minutes late' }]
    // What is received here and not removed comes again.
    const waiting = await port.messages.receive({ messages_max: 1, wait_ms: 0 })
    return [
      { name: 'queue', ok: true, detail: waiting.length === 0 ? 'answers, nothing waits' : 'answers, messages wait' },
    ]
  })
  return checks
}

function clockOf({ headers }: HttpAnswer, now: Date): SelfCheck {
  const theirs = Date.parse(headers['date'] ?? '')
  if (Number.isNaN(theirs)) return { name: 'clock', ok: true, detail: 'Amazon did not say what time it is' }
  const off_ms = now.getTime() - theirs
  return {
    name: 'clock',
    ok: Math.abs(off_ms) <= CLOCK_OFF_MS_MAX,
    detail: `ours is ${Math.round(off_ms / 1_000)} s ahead of Amazon's`,
  }
}

/** Every configured store has to be one that the account sells in, and of its region. */
function storesOf(answer: HttpAnswer, api: NonNullable<Settings['api']>): SelfCheck[] {
  const { payload } = readParticipations(answer.body)
  const sold = new Set(
    payload.flatMap(({ marketplace, participation }) => (participation.isParticipating ? [marketplace.id] : [])),
  )
  return api.marketplace_ids.map((id): SelfCheck => {
    const store = marketplaceOf(id)
    const name = `store ${id}`
    if (!sold.has(id)) return { name, ok: false, detail: 'the account does not sell there' }
    if (store !== undefined && store.region !== api.region)
      return { name, ok: false, detail: `belongs to region ${store.region}, the connection is of ${api.region}` }
    return {
      name,
      ok: true,
      detail:
        store === undefined
          ? 'sold in; a store that is not known here'
          : `sold in (${store.country}, ${store.currency})`,
    }
  })
}
