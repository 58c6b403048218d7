/** Text that is HTML already; only `html` makes it. */
export interface Html {
  readonly html: string
}

type Value = string | number | null | undefined | Html | readonly Html[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** The one template function: whatever is put in is escaped, except for what this function made itself. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  const text = strings.reduce(
    (made, part, index) => made + part + (index < values.length ? render(values[index]) : ''),
    '',
  )
  return { html: text }
}

function render(value: Value): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'object') return 'html' in value ? value.html : value.map((entry) => entry.html).join('')
  return String(value).replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign)
}
