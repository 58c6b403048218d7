import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto'
import { HubError } from '../errors.ts'

/**
 * Keeps what only a few may read. Every sealed text is bound to `aad` (where it belongs: `inbox:12`, `people:<id>:<subject>`), so that
 * a ciphertext moved to another row does not open. Faults: a wrong key, a swapped or damaged text is `HubError('vault_sealed')`.
 */
export interface Vault {
  seal(plain: Buffer, aad: string): Buffer
  open(sealed: Buffer, aad: string): Buffer
  /** HMAC-SHA256 under a key of its own: finds a text again without storing it. */
  lookup(text: string): Buffer
  /** A random data key of one subject, wrapped. Whoever destroys the wrapped key has destroyed all that it sealed. */
  newKey(): Buffer
  sealWith(wrapped: Buffer, plain: Buffer, aad: string): Buffer
  openWith(wrapped: Buffer, sealed: Buffer, aad: string): Buffer
}

const VERSION = 1
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const WRAP_AAD = 'data-key'

/**
 * Opens the vault with its master key of 32 bytes. Purposes get keys of their own (HKDF-SHA256, RFC 5869), so that a wrapped key can never
 * be mistaken for a body. Texts are AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce: version byte, nonce, ciphertext, tag.
 */
export function openVault(key: Buffer): Vault {
  if (key.length !== KEY_BYTES)
    throw new HubError('config_invalid', `the vault key has ${key.length} bytes, it needs ${KEY_BYTES}`)
  const bodies = subkey(key, 'bodies')
  const wrapping = subkey(key, 'wrapping')
  const lookups = subkey(key, 'lookup')
  // A key that was just made is used at once; unwrapping it again would double the work. It lives as long as the wrapped buffer.
  const fresh = new WeakMap<Buffer, KeyObject>()
  const unwrap = (wrapped: Buffer): KeyObject =>
    fresh.get(wrapped) ?? createSecretKey(decrypt(wrapping, wrapped, WRAP_AAD))
  return {
    seal: (plain, aad) => encrypt(bodies, plain, aad),
    open: (sealed, aad) => decrypt(bodies, sealed, aad),
    lookup: (text) => createHmac('sha256', lookups).update(text, 'utf8').digest(),
    newKey: () => {
      const plain = randomBytes(KEY_BYTES)
      const wrapped = encrypt(wrapping, plain, WRAP_AAD)
      fresh.set(wrapped, createSecretKey(plain))
      return wrapped
    },
    sealWith: (wrapped, plain, aad) => encrypt(unwrap(wrapped), plain, aad),
    openWith: (wrapped, sealed, aad) => decrypt(unwrap(wrapped), sealed, aad),
  }
}

function subkey(key: Buffer, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), `crossdock/${purpose}`, KEY_BYTES)))
}

function encrypt(key: KeyObject, plain: Buffer, aad: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from(aad, 'utf8'))
  const body = cipher.update(plain)
  cipher.final()
  return Buffer.concat([Buffer.of(VERSION), nonce, body, cipher.getAuthTag()])
}

function decrypt(key: KeyObject, sealed: Buffer, aad: string): Buffer {
  if (sealed.length < 1 + NONCE_BYTES + TAG_BYTES || sealed[0] !== VERSION) throw sealedFault()
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(aad, 'utf8'))
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  const plain = decipher.update(sealed.subarray(1 + NONCE_BYTES, sealed.length - TAG_BYTES))
  try {
    decipher.final()
    return plain
  } catch (thrown) {
    throw sealedFault(thrown)
  }
}

function sealedFault(cause?: unknown): HubError {
  return new HubError('vault_sealed', 'a sealed text does not open: wrong vault key, another row, or damaged', {
    hint: 'check that the vault key is the one the data was written with',
    ...(cause === undefined ? {} : { cause }),
  })
}
