import { occurrenceCounter, textId } from '../../core/model/occurrences.ts'

interface Known {
  booked_on: string
  amount_minor: number
  reference: string | null
  text: string | null
}

/**
 * Names movements so that the next file which shows them gives them the same name: by the bank's own reference where there is one, else by
 * what is known of them. Two that are alike in everything are told apart by their order on that day, so files have to hold whole days.
 */
export function lineIds(): (line: Known, bank_reference: string) => string {
  const seen = occurrenceCounter()
  return (line, bank_reference) => {
    const { booked_on, amount_minor } = line
    const about = `${line.reference ?? ''}\n${(line.text ?? '').replace(/\s+/g, ' ').trim()}`
    const base = bank_reference === '' ? textId(about) : bank_reference.slice(0, 100)
    const id = `${booked_on}:${amount_minor}:${base}`
    const count = seen(id)
    return count === 1 ? id : `${id}:${count}`
  }
}
