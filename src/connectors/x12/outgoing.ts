import { createHash } from 'node:crypto'
import type { AwaitedAnswer, EffectResult } from '../../core/model/effects.ts'
import { invoice, orderAcknowledgement, shipNotice, ssccOf } from '../../mappings/x12/outTrade.ts'
import { shippingOrder, transferAdvice, type Written } from '../../mappings/x12/outWarehouse.ts'
import { USUAL } from '../../mappings/x12/profile.ts'
import { GROUP_OF } from '../../mappings/x12/sets.ts'
import { setControl, writeInterchange, type OutSet } from '../../mappings/x12/write.ts'
import type { Effect, Port } from '../_kit/define.ts'
import { INTERCHANGES } from './answers.ts'
import { foldersOf, type Settings } from './settings.ts'

const BATCH_MAX = 200
const MINUTE_MS = 60_000
const PACKS = 'sscc'

interface Kind<R> {
  set: string
  /** When the document came up; the same each time it is written. */
  at: (request: R) => string
  write: (port: Port<Settings>, request: R) => Promise<Written>
}

/**
 * Documents of one kind to the partner: one file a batch, one interchange a file, one set a document. Number and name come from the batch's
 * key and the time from the documents, so a retry writes the same file again, unless it is still there or was taken into the archive; a
 * partner that gets it twice knows its number.
 */
function effectOf<R extends { outbox_id: number }>(kind: Kind<R>): Effect<Settings, R> {
  return {
    batch_max: BATCH_MAX,
    send: async (port, requests, key) => {
      const written = await Promise.all(
        requests.map(async (request) => ({ request, made: await kind.write(port, request) })),
      )
      const sound = written.flatMap(({ request, made }) => (made.kind === 'set' ? [{ request, set: made.set }] : []))
      const refused = written.flatMap(({ request, made }): EffectResult[] =>
        made.kind === 'set'
          ? []
          : [{ outbox_id: request.outbox_id, outcome: 'refused', code: 'unsupported', detail: made.detail }],
      )
      if (sound.length === 0) return refused
      const at =
        sound
          .map(({ request }) => kind.at(request))
          .toSorted()
          .at(-1) ?? ''
      // Named by its effect: in another batch, or in one that has lost a member, it would still be called so.
      const sets = sound.map(({ request, set }) => ({ ...set, control: setControl(request.outbox_id) }))
      const { number, name } = await writeFile(port, { key, kind: kind.set, at, sets })
      const done = sound.map(({ request: { outbox_id } }): EffectResult => ({
        outbox_id,
        outcome: 'done',
        external_id: name,
        awaits: awaitsOf(port.settings, { kind: kind.set, number, outbox_id }),
      }))
      return [...done, ...refused]
    },
  }
}

interface Outgoing {
  key: string
  kind: string
  at: string
  sets: readonly OutSet[]
}

async function writeFile(
  port: Port<Settings>,
  { key, kind, at, sets }: Outgoing,
): Promise<{ number: number; name: string }> {
  const number = await port.numbers.next(INTERCHANGES, `${kind}:${key}`)
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 16)
  const name = `${kind}_${String(number).padStart(9, '0')}_${digest}.edi`
  if (!(await hasArrived(port, name))) {
    const text = writeInterchange(port.settings, { number, at, group: { functional: GROUP_OF[kind] ?? '', sets } })
    await port.files.write(`${foldersOf(port.settings).outgoing}/${name}`, Buffer.from(text, 'utf8'))
  }
  return { number, name }
}

/** In this order: the partner moves files from `outgoing` to `archive`, so one that moves meanwhile is still seen. */
async function hasArrived({ files, settings }: Port<Settings>, name: string): Promise<boolean> {
  const { outgoing, archive } = foldersOf(settings)
  return (await files.exists(`${outgoing}/${name}`)) || (await files.exists(`${archive}/${name}`))
}

function awaitsOf(
  { answer_within_minutes }: Settings,
  { kind, number, outbox_id }: { kind: string; number: number; outbox_id: number },
): AwaitedAnswer[] {
  const minutes = answer_within_minutes ?? USUAL.answer_within_minutes
  if (minutes === 0) return []
  return [{ reference: `${number}/${setControl(outbox_id)}`, what: `997 to ${kind}`, within_ms: minutes * MINUTE_MS }]
}

export const fulfillment = effectOf<Parameters<typeof shippingOrder>[0]>({
  set: '940',
  at: ({ requested_at, placed_at }) => requested_at ?? placed_at,
  write: ({ settings }, request) => Promise.resolve(shippingOrder(request, settings)),
})

export const announcements = effectOf<Parameters<typeof transferAdvice>[0]>({
  set: '943',
  at: ({ announced_at }) => announced_at,
  write: ({ settings }, announcement) => Promise.resolve(transferAdvice(announcement, settings)),
})

export const orderAnswers = effectOf<Parameters<typeof orderAcknowledgement>[0]>({
  set: '855',
  at: ({ answered_at }) => answered_at,
  write: ({ settings }, answer) => Promise.resolve(orderAcknowledgement(answer, settings)),
})

export const shipments = effectOf<Parameters<typeof shipNotice>[0]>({
  set: '856',
  at: ({ shipped_at }) => shipped_at,
  write: async ({ settings, numbers }, notice) => {
    const prefix = settings.gs1_prefix
    const sscc = prefix === undefined ? null : ssccOf(prefix, await numbers.next(PACKS, notice.shipment_id))
    return shipNotice(notice, sscc, settings)
  },
})

export const invoices = effectOf<Parameters<typeof invoice>[0]>({
  set: '810',
  at: ({ invoiced_at }) => invoiced_at,
  write: ({ settings }, request) => Promise.resolve(invoice(request, settings)),
})
