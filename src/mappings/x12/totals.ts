import { fault, type Fault } from './faults.ts'
import { all, deep, el, one, type Node } from './structure.ts'

/**
 * What a set says of itself at its end, and what that has to come to. A byte that changes on the way changes a quantity or a total, and
 * then they disagree. Sums are kept in millionths, because quantities may have decimals and floats would not add up.
 */
interface Total {
  segment: string
  element: number
  /** Units that are summed, or `null` where the segments are counted. */
  of: { segment: string; element: number | null }
  /** A total that need not be there. */
  optional: boolean
}

const total = (segment: string, element: number, of: Total['of'], presence: 'needed' | 'optional'): Total => ({
  segment,
  element,
  of,
  optional: presence === 'optional',
})

const TOTALS: Readonly<Record<string, readonly Total[]>> = {
  '940': [total('W76', 1, { segment: 'W01', element: 1 }, 'optional')],
  '943': [total('W03', 1, { segment: 'W04', element: 1 }, 'needed')],
  '944': [total('W14', 1, { segment: 'W07', element: 1 }, 'needed')],
  '945': [total('W03', 1, { segment: 'W12', element: 3 }, 'needed')],
  '846': [total('CTT', 1, { segment: 'LIN', element: null }, 'optional')],
  '850': [
    total('CTT', 1, { segment: 'PO1', element: null }, 'optional'),
    total('CTT', 2, { segment: 'PO1', element: 2 }, 'optional'),
  ],
  '855': [total('CTT', 1, { segment: 'PO1', element: null }, 'optional')],
  '856': [total('CTT', 1, { segment: 'HL', element: null }, 'optional')],
  '810': [total('CTT', 1, { segment: 'IT1', element: null }, 'optional')],
  '860': [total('CTT', 1, { segment: 'POC', element: null }, 'optional')],
}

const SCALE = 6

/** Millionths of a decimal text, exactly; undefined for what is no number of at most six decimals. */
export function millionths(text: string): bigint | undefined {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d*)(?:\.(\d{0,6})0*)?$/.exec(text) ?? []
  if (whole === undefined || (whole === '' && fraction === '')) return undefined
  const value = BigInt(`${whole}${fraction.padEnd(SCALE, '0')}`)
  return sign === '-' ? -value : value
}

/** Totals that do not agree with what the set holds. A line without a quantity counts as none. */
export function checkTotals(id: string, root: Node): Fault[] {
  return (TOTALS[id] ?? []).flatMap(({ segment, element, of, optional }) => {
    const place = one(root, segment)
    const claimed = el(place, element)
    if (claimed === '') return []
    const nodes = of.element === null ? all(root, of.segment) : deep(root, of.segment)
    const found =
      of.element === null
        ? BigInt(nodes.length) * 1_000_000n
        : nodes.reduce((sum, node) => sum + (millionths(el(node, of.element ?? 0)) ?? 0n), 0n)
    const said = millionths(claimed)
    if (said === found || (optional && place === undefined)) return []
    const name = `${segment}${String(element).padStart(2, '0')}`
    const what =
      of.element === null ? `the ${of.segment} segments` : `${of.segment}${String(of.element).padStart(2, '0')}`
    const at = {
      segment,
      position: place?.position ?? 0,
      code: '8',
      element: { position: element, code: '7', meaning: 'total' },
    }
    return [fault('totals', `${name} does not agree with ${what}`, at)]
  })
}
