import { gunzipSync } from 'node:zlib'
import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port } from '../_kit/define.ts'
import type { Settings } from './settings.ts'

/** Feeds and reports lie in buckets, behind addresses that are good for five minutes. */

const readDocument = checker(
  Type.Object(
    { url: Type.String(), compressionAlgorithm: Type.Optional(Type.Union([Type.String(), Type.Null()])) },
    { additionalProperties: true },
  ),
  'vendor_response_invalid',
)

/** Fetches a document of the Feeds or Reports API whole and unpacked. Faults: `vendor_response_invalid` for a broken or overlong one. */
export async function downloadDocument(
  port: Port<Settings>,
  { operation, path, bytes_max }: { operation: string; path: string; bytes_max: number },
): Promise<Buffer> {
  const answer = await port.http.request({ operation, method: 'GET', path, repeat: 'safe' })
  const { url, compressionAlgorithm } = readDocument(answer.body)
  const bytes = await port.http.transfer({ operation: `${operation}.download`, method: 'GET', url, bytes_max })
  return compressionAlgorithm === 'GZIP' ? unpacked(bytes, bytes_max) : bytes
}

function unpacked(bytes: Buffer, bytes_max: number): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: bytes_max })
  } catch (thrown) {
    throw new HubError('vendor_response_invalid', 'a document cannot be unpacked, or is longer than allowed', {
      cause: thrown,
    })
  }
}
