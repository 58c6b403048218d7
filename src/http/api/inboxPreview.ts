import { asHubError, HubError } from '../../core/errors.ts'
import { readBody } from '../../db/inbox.ts'
import { readSealed } from '../../db/readInbox.ts'
import type { Hub } from '../../hub.ts'
import { plainSettings } from '../../queues/drainBatch.ts'

/** What a stored message means to the mapping as it is now. */
export interface MessagePreview {
  /** `mapped`, `not_mapped` (see `problem`), `erased`, or `not_configured` when its connection or topic is gone. */
  state: 'mapped' | 'not_mapped' | 'erased' | 'not_configured'
  facts: Record<string, unknown>[]
  warnings: string[]
  problem: { code: string; path: string | null } | null
}

/** Canonical documents are closed, so these are all the places where a person can be. `reason` is free text of whoever typed it. */
const PERSONAL = new Set(['buyer', 'ship_to', 'bill_to', 'buyer_email', 'buyer_external_id', 'reason', 'place'])
const HIDDEN = '…'

/** Opens, parses and maps one message again, and hides what is personal. Nothing is stored. Faults: `not_found`, `vault_sealed`. */
export async function previewMessage(hub: Hub, id: number): Promise<MessagePreview> {
  const row = await readSealed(hub.db, id)
  const connection = hub.connections.get(row.connection_id)
  const inbound = connection?.connector.inbound
  const mapping = inbound !== undefined && Object.hasOwn(inbound, row.topic) ? inbound[row.topic] : undefined
  if (row.body === null) return nothing('erased')
  if (connection === undefined || mapping === undefined) return nothing('not_configured')
  const bytes = readBody(hub.vault, row)
  try {
    const payload: unknown = JSON.parse(bytes.toString('utf8'))
    const { facts, warnings } = mapping.map(payload, {
      observed_at: row.observed_at.toISOString(),
      settings: plainSettings(connection),
    })
    return { ...nothing('mapped'), facts: facts.map((fact) => hidePersons(fact) as Record<string, unknown>), warnings }
  } catch (thrown) {
    const error =
      thrown instanceof SyntaxError ? new HubError('payload_invalid', 'not JSON', { path: '$' }) : asHubError(thrown)
    return { ...nothing('not_mapped'), problem: { code: error.code, path: error.path ?? null } }
  }
}

const nothing = (state: MessagePreview['state']): MessagePreview => ({ state, facts: [], warnings: [], problem: null })

function hidePersons(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hidePersons)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]: [string, unknown]) => [
      key,
      PERSONAL.has(key) && entry !== null ? HIDDEN : hidePersons(entry),
    ]),
  )
}
