import { decimalFromMinor } from '../model/money.ts'
import type { Bridge, BridgeStep } from './rulesBridge.ts'

export interface BridgeTitle {
  /** Of the payout: its name at the processor, the connection. */
  name: string
  connection_id: string
  /** `2026-11-21`. */
  date: string
  status: string
}

const HEAD_PX = 64
const ROW_PX = 46
const FOOT_PX = 8
/** A share of the width that even the smallest step is drawn with, in hundredths of a percent. */
const BAR_MIN = 80n

/** Colours of light and dark; each stands at least 3 to 1 against its ground, and the sign is in the text as well. */
const STYLE = `
svg{font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-size:14px;color:#1b2430;background:#fff}
text{fill:#1b2430}.quiet{fill:#5b6675;font-size:12px}.name{font-size:16px;font-weight:600}.amount{font-variant-numeric:tabular-nums}
.total text{font-weight:600}.track{fill:#eef1f5}.in{fill:#2563a8}.out{fill:#c2570c}.sum{fill:#445268}.gap{fill:#b3261e}.rule{stroke:#d5dbe3}
@media (prefers-color-scheme:dark){svg{background:#12171e;color:#e6ebf2}text{fill:#e6ebf2}.quiet{fill:#9aa7b8}.track{fill:#1f2732}
.in{fill:#6aa9ec}.out{fill:#f0924c}.sum{fill:#93a3b8}.gap{fill:#ff8a80}.rule{stroke:#2c3644}}`

/**
 * A bridge as a picture of its own: no script, no font, no outside address. Rows as wide as the place it is given, texts of a fixed
 * size, so that it reads on a telephone and on a wide screen. Every amount is text; title and description say the same in words.
 */
export function bridgeSvg(title: BridgeTitle, { currency, steps }: Bridge): string {
  const height = HEAD_PX + steps.length * ROW_PX + FOOT_PX
  const scale = scaleOf(steps)
  const payout = amountText(steps.at(-1)?.amount_minor ?? 0, currency)
  const words = steps.map(({ label, amount_minor }) => `${label} ${amountText(amount_minor, currency)}`).join('; ')
  const rows = steps.map((step, index) => rowOf(step, HEAD_PX + index * ROW_PX, currency, scale))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="${height}" role="img" aria-labelledby="bridge-title bridge-desc">`,
    `<title id="bridge-title">${escape(`Payout ${title.name}: ${payout}`)}</title>`,
    `<desc id="bridge-desc">${escape(words)}</desc>`,
    `<style>${STYLE}</style>`,
    // The picture without its margins: percentages inside it are of the free width.
    '<svg x="2%" width="96%" height="100%" overflow="visible">',
    `<text class="name" x="0" y="28">${escape(clip(title.name))}</text>`,
    `<text class="quiet" x="0" y="48">${escape(`${clip(title.connection_id)} · ${title.date} · ${title.status}`)}</text>`,
    ...rows,
    '</svg>',
    '</svg>',
    '',
  ].join('\n')
}

const NAME_MAX = 40
const clip = (text: string): string => (text.length > NAME_MAX ? `${text.slice(0, NAME_MAX - 1)}…` : text)

/** Left edge and width of a bar in hundredths of a percent. */
type Scale = (from_minor: number, to_minor: number) => { left: bigint; width: bigint }

/** In whole numbers: amounts may be too large to be multiplied in anything else. */
function scaleOf(steps: readonly BridgeStep[]): Scale {
  const ends = [0, ...steps.flatMap(({ from_minor, to_minor }) => [from_minor, to_minor])].map(BigInt)
  const low = ends.reduce((a, b) => (b < a ? b : a))
  const high = ends.reduce((a, b) => (b > a ? b : a))
  const span = high - low === 0n ? 1n : high - low
  return (from_minor, to_minor) => {
    const [a, b] = [BigInt(from_minor), BigInt(to_minor)]
    const start = ((a < b ? a : b) - low) * 10_000n
    const length = ((a < b ? b - a : a - b) * 10_000n) / span
    const width = length < BAR_MIN ? BAR_MIN : length
    const left = start / span
    return { left: left + width > 10_000n ? 10_000n - width : left, width }
  }
}

const percent = (hundredths: bigint): string => `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')}%`

function rowOf(step: BridgeStep, y: number, currency: string, scale: Scale): string {
  const { left, width } = scale(step.from_minor, step.to_minor)
  const isTotal = step.role === 'total'
  const colour = isTotal ? 'sum' : step.id === 'unexplained' ? 'gap' : step.amount_minor < 0 ? 'out' : 'in'
  const rule = isTotal ? `<line class="rule" x1="0" x2="100%" y1="${y - 2}" y2="${y - 2}"/>` : ''
  return [
    `<g class="${isTotal ? 'total' : 'step'}">${rule}`,
    `<text x="0" y="${y + 18}">${escape(step.label)}</text>`,
    `<text class="amount" x="100%" y="${y + 18}" text-anchor="end">${escape(amountText(step.amount_minor, currency))}</text>`,
    `<rect class="track" x="0" y="${y + 26}" width="100%" height="8" rx="2"/>`,
    `<rect class="${colour}" x="${percent(left)}" y="${y + 26}" width="${percent(width)}" height="8" rx="2"/></g>`,
  ].join('')
}

function amountText(amount_minor: number, currency: string): string {
  const [whole = '', decimals] = decimalFromMinor(amount_minor < 0 ? -amount_minor : amount_minor, currency).split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, '\u202F')
  return `${amount_minor < 0 ? '−' : ''}${grouped}${decimals === undefined ? '' : `.${decimals}`} ${currency}`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
/** Names come from vendors: they are text, never markup, and never a control character, which no XML may hold. */
const escape = (text: string): string =>
  text.replace(/\p{Cc}/gu, ' ').replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? '')
