import { describe, expect, test } from 'vitest'
import { openVault } from '../../../src/core/people/vault.ts'
import { HubError } from '../../../src/core/errors.ts'

const vault = openVault(Buffer.alloc(32, 1))
const other = openVault(Buffer.alloc(32, 2))
const text = Buffer.from('Ada, Main Street 1')

function refusal(work: () => unknown): string {
  try {
    work()
    return 'opened'
  } catch (thrown) {
    return thrown instanceof HubError ? thrown.code : String(thrown)
  }
}

describe('the vault', () => {
  test('opens what it sealed, and a restarted vault with the same key does too', () => {
    const sealed = vault.seal(text, 'inbox:1')
    expect(sealed.includes(text)).toBe(false)
    expect(openVault(Buffer.alloc(32, 1)).open(sealed, 'inbox:1')).toEqual(text)
    const key = vault.newKey()
    const own = vault.sealWith(key, text, 'people:1')
    expect(openVault(Buffer.alloc(32, 1)).openWith(Buffer.from(key), own, 'people:1')).toEqual(text)
  })

  test('never seals the same text the same way', () => {
    expect(vault.seal(text, 'inbox:1')).not.toEqual(vault.seal(text, 'inbox:1'))
  })

  test('refuses a swapped row, another key, a swapped subject, and every single damaged byte', () => {
    const sealed = vault.seal(text, 'inbox:1')
    expect(refusal(() => vault.open(sealed, 'inbox:2'))).toBe('vault_sealed')
    expect(refusal(() => other.open(sealed, 'inbox:1'))).toBe('vault_sealed')
    for (let byte = 0; byte < sealed.length; byte += 1) {
      const damaged = Buffer.from(sealed)
      damaged[byte] = (damaged[byte] ?? 0) ^ 1
      expect(refusal(() => vault.open(damaged, 'inbox:1'))).toBe('vault_sealed')
    }
    for (let length = 0; length < sealed.length; length += 1) {
      expect(refusal(() => vault.open(sealed.subarray(0, length), 'inbox:1'))).toBe('vault_sealed')
    }
    const [one, two] = [vault.newKey(), vault.newKey()]
    const own = vault.sealWith(one, text, 'people:1')
    expect(refusal(() => vault.openWith(two, own, 'people:1'))).toBe('vault_sealed')
    expect(refusal(() => other.openWith(Buffer.from(one), own, 'people:1'))).toBe('vault_sealed')
  })

  test('keeps purposes apart: a wrapped key is not a body', () => {
    expect(refusal(() => vault.open(vault.newKey(), 'data-key'))).toBe('vault_sealed')
    expect(refusal(() => vault.openWith(vault.seal(Buffer.alloc(32), 'data-key'), vault.seal(text, 'a'), 'a'))).toBe(
      'vault_sealed',
    )
  })

  test('finds a text again by its lookup, which another key does not share', () => {
    expect(vault.lookup('a@example.test')).toEqual(vault.lookup('a@example.test'))
    expect(vault.lookup('a@example.test')).not.toEqual(vault.lookup('b@example.test'))
    expect(vault.lookup('a@example.test')).not.toEqual(other.lookup('a@example.test'))
  })

  test('takes no key of another length', () => {
    expect(refusal(() => openVault(Buffer.alloc(16)))).toBe('config_invalid')
  })
})
