import { userInfo } from 'node:os'

/** Who is at the keyboard, for the audit log. A container may run under a number that has no name. */
export function actor(): string {
  try {
    return `cli:${userInfo().username}`
  } catch {
    return 'cli'
  }
}
