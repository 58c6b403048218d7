import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'

/** 32 MiB and some tens of milliseconds for each guess. */
const COST = { N: 2 ** 15, r: 8, p: 1 } as const
const HASH_BYTES = 32
const SALT_BYTES = 16
/** A hash from the configuration may cost more than ours, but not so much that one login stops the server. */
const MEMORY_BYTES_MAX = 256 * 1024 * 1024
const FORMAT = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9_-]{8,200})\$([A-Za-z0-9_-]{22,200})$/

/** A hash of nobody's password: a login with an unknown name takes as long as one with a known one. */
const NOBODY = `scrypt$${COST.N}$${COST.r}$${COST.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`

/** `scrypt$N$r$p$salt$hash` (RFC 7914; salt and hash in base64url): the form in which `users[].password_hash` is configured too. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(password, salt, HASH_BYTES, COST)
  return `scrypt$${COST.N}$${COST.r}$${COST.p}$${salt.toString('base64url')}$${hash.toString('base64url')}`
}

/** Compares in constant time. `stored` undefined (no such user) or unreadable does the work all the same and is false. */
export async function verifyPassword(password: string, stored: string | undefined): Promise<boolean> {
  const parts = FORMAT.exec(stored ?? '') ?? FORMAT.exec(NOBODY)
  const [, N = '', r = '', p = '', salt = '', hash = ''] = parts ?? []
  const expected = Buffer.from(hash, 'base64url')
  const cost = { N: Number(N), r: Number(r), p: Number(p) }
  // A cost that scrypt refuses (N is no power of two, too much memory) verifies nothing.
  const actual = await derive(password, Buffer.from(salt, 'base64url'), expected.length, cost).catch(() => undefined)
  const holds = actual !== undefined && timingSafeEqual(actual, expected)
  return holds && stored !== undefined && FORMAT.test(stored)
}

function derive(password: string, salt: Buffer, bytes: number, cost: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, bytes, { ...cost, maxmem: MEMORY_BYTES_MAX }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    )
  })
}
