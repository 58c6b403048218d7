export interface Found {
  path: string
  payload: unknown
}

/** A list is its elements; an object without an id of its own that has one of the vendor's envelope keys is what stands under it. */
export function documentsIn(payload: unknown, envelopes: readonly string[]): Found[] {
  if (Array.isArray(payload)) return payload.map((entry, index) => ({ path: `$[${index}]`, payload: entry as unknown }))
  const isObject = typeof payload === 'object' && payload !== null
  const keys = isObject && !('id' in payload) ? envelopes.filter((key) => Object.hasOwn(payload, key)) : []
  if (keys.length === 0) return [{ path: '$', payload }]
  return keys.flatMap((key): Found[] => {
    const inside = (payload as Record<string, unknown>)[key]
    if (!Array.isArray(inside)) return [{ path: `$.${key}`, payload: inside }]
    return inside.map((entry, index) => ({ path: `$.${key}[${index}]`, payload: entry as unknown }))
  })
}

/** What a message carries when a vendor's API envelope (`{"order": {…}}`) was sent where the bare document was expected. */
export function unwrapped(payload: unknown, envelopes: readonly string[]): unknown {
  if (Array.isArray(payload)) return payload
  const [only, ...more] = documentsIn(payload, envelopes)
  return only === undefined || more.length > 0 ? payload : only.payload
}
