import { sign, type KeyObject } from 'node:crypto'

const tlv = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const size = body.length.toString(16)
  const bytes = Buffer.from(size.length % 2 === 0 ? size : `0${size}`, 'hex')
  const length = body.length < 128 ? Buffer.of(body.length) : Buffer.concat([Buffer.of(0x80 | bytes.length), bytes])
  return Buffer.concat([Buffer.of(tag), length, body])
}
const sequence = (...parts: Buffer[]): Buffer => tlv(0x30, ...parts)
const time = (at: Date): Buffer => tlv(0x18, Buffer.from(`${at.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`))
const COMMON_NAME = Buffer.from('0603550403', 'hex')
const SHA256_WITH_RSA = sequence(Buffer.from('06092a864886f70d01010b0500', 'hex'))

/** A certificate that signs itself, in PEM: RSA, in force between two moments (RFC 5280 section 4.1). */
export function certificate(keys: { publicKey: KeyObject; privateKey: KeyObject }, from: Date, to: Date): string {
  const name = sequence(tlv(0x31, sequence(COMMON_NAME, tlv(0x0c, Buffer.from('messages.example')))))
  const tbs = sequence(
    tlv(0xa0, tlv(0x02, Buffer.of(2))),
    tlv(0x02, Buffer.of(1)),
    SHA256_WITH_RSA,
    name,
    sequence(time(from), time(to)),
    name,
    keys.publicKey.export({ format: 'der', type: 'spki' }),
  )
  const der = sequence(tbs, SHA256_WITH_RSA, tlv(0x03, Buffer.of(0), sign('sha256', tbs, keys.privateKey)))
  return `-----BEGIN CERTIFICATE-----\n${der
    .toString('base64')
    .replace(/(.{64})/g, '$1\n')
    .trim()}\n-----END CERTIFICATE-----\n`
}
