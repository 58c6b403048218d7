import { createPrivateKey, sign } from 'node:crypto'
import { HubError } from '../../core/errors.ts'
import type { EbayApi } from './index.ts'

/**
 * HTTP message signature (RFC 9421) of a call without a body, as eBay demands of EU and UK sellers for the Finances API. The query is not
 * part of what is signed. Throws `config_invalid` for a key that cannot be read.
 */
export function signedHeaders(
  signing: NonNullable<EbayApi['signing']>,
  call: { method: 'GET'; path: string; authority: string; now: Date },
): Record<string, string> {
  const created = Math.floor(call.now.getTime() / 1_000)
  const params = `("x-ebay-signature-key" "@method" "@path" "@authority");created=${created}`
  const base = [
    `"x-ebay-signature-key": ${signing.key_jwe}`,
    `"@method": ${call.method}`,
    `"@path": ${call.path}`,
    `"@authority": ${call.authority}`,
    `"@signature-params": ${params}`,
  ].join('\n')
  return {
    'x-ebay-signature-key': signing.key_jwe,
    'x-ebay-enforce-signature': 'true',
    'signature-input': `sig1=${params}`,
    signature: `sig1=:${signatureOf(base, signing.private_key)}:`,
  }
}

function signatureOf(base: string, key_base64: string): string {
  try {
    const key = createPrivateKey({ key: Buffer.from(key_base64, 'base64'), format: 'der', type: 'pkcs8' })
    return sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.from(base), key).toString('base64')
  } catch (cause) {
    throw new HubError('config_invalid', 'the private key of the message signature cannot be read', {
      path: '$.api.signing.private_key',
      cause,
    })
  }
}
