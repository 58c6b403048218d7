/** A point on the earth, in degrees. */
export interface Point {
  latitude: number
  longitude: number
}

/** Points by `areaKey`. */
export type Areas = ReadonlyMap<string, Point>

/** Mean radius of the earth: with it a great circle is right to half a percent, which is nearer than any postcode area. */
const EARTH_RADIUS_KM = 6_371

/**
 * Great-circle distance in whole kilometres by the haversine formula (R. W. Sinnott, "Virtues of the Haversine", Sky & Telescope 68, 1984),
 * which stays exact for points that are close together.
 */
export function distanceKm(a: Point, b: Point): number {
  const latitude = Math.sin(radians(b.latitude - a.latitude) / 2)
  const longitude = Math.sin(radians(b.longitude - a.longitude) / 2)
  const square = latitude ** 2 + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * longitude ** 2
  return Math.round(2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(square))))
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180

export const areaKey = (country: string, prefix: string): string => `${country}:${prefix}`

/** Every beginning of a postcode area, the longest first. */
export const prefixesOf = (area: string): string[] =>
  Array.from({ length: area.length }, (_, index) => area.slice(0, area.length - index))

/** Where a postcode area is: by the longest prefix that is known of it. */
export function pointOf(areas: Areas, country: string | null, area: string | null): Point | null {
  if (country === null || area === null) return null
  for (const prefix of prefixesOf(area)) {
    const point = areas.get(areaKey(country, prefix))
    if (point !== undefined) return point
  }
  return null
}
