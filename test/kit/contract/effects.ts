import { expect, it } from 'vitest'
import { CONTRACT_WRITES, type ConnectorContract } from './contract.ts'

/** What cannot be told twice can be read back, or carries a key that the vendor honours; and the literal keeps its own promises. */
export function effectContract({ connector, repeatable }: ConnectorContract): void {
  for (const name of CONTRACT_WRITES) {
    const effect = connector[name]
    if (effect === undefined) continue
    it(`effects: ${name} is settled after a lost answer by reading back, or is safe to repeat for a reason`, () => {
      expect(effect.confirm !== undefined || (repeatable?.[name]?.length ?? 0) > 10).toBe(true)
      expect(effect.batch_max).toBeGreaterThanOrEqual(1)
    })
  }

  it('literal: what is said elsewhere is there', () => {
    const { webhook, availability, files } = connector
    if (webhook?.topics !== undefined) expect(webhook.topics.length).toBeGreaterThan(0)
    if (webhook !== undefined) expect(webhook.content_types.length).toBeGreaterThan(0)
    // A number that is not compared and set is proven by reading it back.
    if (availability !== undefined && !availability.compare_and_set) expect(availability.read).toBeDefined()
    for (const topic of Object.keys(files?.types ?? {})) expect(Object.keys(connector.inbound)).toContain(topic)
    for (const topic of Object.keys(connector.envelopes ?? {})) expect(Object.keys(connector.inbound)).toContain(topic)
  })
}
