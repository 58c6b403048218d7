import { isUtf8 } from 'node:buffer'
import { HubError } from '../../core/errors.ts'

/**
 * The bytes of a file, whatever they are in, as UTF-8 without a byte order mark, chunk by chunk. UTF-16 is known by its mark. Anything
 * else is UTF-8 until a byte says otherwise, and Windows-1252 from there on: what came before was ASCII, which is the same in both.
 * `onMixed` is told when it was not.
 */
export async function* toUtf8(
  chunks: AsyncIterable<Buffer>,
  onMixed: () => void = () => undefined,
): AsyncGenerator<Buffer> {
  let convert: ((bytes: Buffer, end: 'more' | 'end') => Buffer) | undefined
  let head: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = head.length === 0 ? chunk : Buffer.concat([head, chunk])
    // The mark has at most three bytes; a chunk may be shorter.
    if (convert === undefined && bytes.length < 3) {
      head = bytes
      continue
    }
    head = Buffer.alloc(0)
    const { text, make } = convert === undefined ? byMark(bytes, onMixed) : { text: bytes, make: convert }
    convert = make
    const out = convert(text, 'more')
    if (out.length > 0) yield textOnly(out)
  }
  const { text, make } = convert === undefined ? byMark(head, onMixed) : { text: head, make: convert }
  const last = make(text, 'end')
  if (last.length > 0) yield textOnly(last)
}

function byMark(
  bytes: Buffer,
  onMixed: () => void,
): { text: Buffer; make: (b: Buffer, end: 'more' | 'end') => Buffer } {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { text: bytes.subarray(2), make: throughDecoder('utf-16le') }
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return { text: bytes.subarray(2), make: throughDecoder('utf-16be') }
  const isMarked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return { text: isMarked ? bytes.subarray(3) : bytes, make: eightBit(onMixed) }
}

function throughDecoder(name: string): (bytes: Buffer, end: 'more' | 'end') => Buffer {
  const decoder = new TextDecoder(name, { ignoreBOM: true })
  return (bytes, end) => Buffer.from(decoder.decode(bytes, { stream: end === 'more' }))
}

function eightBit(onMixed: () => void): (bytes: Buffer, end: 'more' | 'end') => Buffer {
  const windows = throughDecoder('windows-1252')
  let carry: Buffer = Buffer.alloc(0)
  let state: 'ascii' | 'utf8' | 'windows' = 'ascii'
  return (chunk, end) => {
    const bytes = carry.length === 0 ? chunk : Buffer.concat([carry, chunk])
    carry = Buffer.alloc(0)
    if (state !== 'windows') {
      const whole = end === 'end' ? bytes.length : wholeCharacters(bytes)
      const text = bytes.subarray(0, whole)
      if (isUtf8(text)) {
        carry = Buffer.from(bytes.subarray(whole))
        if (state === 'ascii' && text.some((byte) => byte > 0x7f)) state = 'utf8'
        return text
      }
      if (state === 'utf8') onMixed()
      state = 'windows'
    }
    return windows(bytes, end)
  }
}

/** How many bytes stand before a character that the chunk cuts in two. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return bytes.length
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

function textOnly(bytes: Buffer): Buffer {
  if (bytes.includes(0)) throw new HubError('file_invalid', 'the file is not text')
  return bytes
}
