import type { LabelChoices } from '../model/label.ts'

/** Units of one item in a parcel; null: the item says nothing. */
export interface PackedItem {
  quantity: number
  weight_g: number | null
  size_mm: readonly number[] | null
}

export interface Weighed {
  weight_g: number
  size_mm: [number, number, number] | null
}

/** What a parcel with these items weighs and measures, by what the items say and what the place says of those that say nothing. */
export function weighParcel(
  items: readonly PackedItem[],
  { unit_weight_g, packaging_g = 0, size_mm }: LabelChoices['parcel'],
): Weighed {
  const weight_g = items.reduce((sum, item) => sum + item.quantity * (item.weight_g ?? unit_weight_g), packaging_g)
  return { weight_g: Math.max(1, weight_g), size_mm: stacked(items) ?? threeOf(size_mm) }
}

/**
 * The box around everything laid flat and put on top of each other. Longer than a packer would make it, never too small. Null as soon as
 * one item's size is not known.
 */
function stacked(items: readonly PackedItem[]): [number, number, number] | null {
  if (items.length === 0) return null
  let [length, width, height] = [0, 0, 0]
  for (const { quantity, size_mm } of items) {
    const flat = threeOf(size_mm?.toSorted((a, b) => b - a))
    if (flat === null) return null
    length = Math.max(length, flat[0])
    width = Math.max(width, flat[1])
    height += flat[2] * quantity
  }
  return [length, width, height]
}

function threeOf(size: readonly number[] | null | undefined): [number, number, number] | null {
  const [length, width, height] = size ?? []
  return length === undefined || width === undefined || height === undefined ? null : [length, width, height]
}
