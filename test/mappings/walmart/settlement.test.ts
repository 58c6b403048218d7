import fc from 'fast-check'
import { expect, it } from 'vitest'
import { walmartRecon } from '../../../src/mappings/walmart/settlement.ts'
import { expectFound, expectSame, faultKinds, movements, readBack, total, type Movement } from '../movements.ts'
import { WALMART_WORDS, walmartReport } from './report.ts'

const any = movements(Object.keys(WALMART_WORDS) as Movement['what'][])

it('any movements come back from a report as they were', async () => {
  await fc.assert(
    fc.asyncProperty(any, async (all) => {
      const back = await readBack(walmartRecon, walmartReport(all))
      expectSame(back, all)
      expect(back.lines.every(({ sku }) => sku === '=SKU+1')).toBe(true)
      expect(back.proof.settlements).toMatchObject([{ external_id: '2026-09-01_2026-09-15' }])
    }),
    { numRuns: 50 },
  )
})

it('finds what went wrong on the way, a swapped currency too', async () => {
  await fc.assert(
    fc.asyncProperty(any, fc.nat(), async (all, at) => {
      await expectFound((damaged) => readBack(walmartRecon, walmartReport(damaged, total(all))), all, at)
      const swapped = await readBack(
        walmartRecon,
        walmartReport(all, total(all), (row) => (row === at % all.length ? 'CAD' : 'USD')),
      )
      expect(faultKinds(swapped)).toEqual(['currency'])
    }),
    { numRuns: 30 },
  )
})

it('withheld tax nets the tax, and what is unknown is kept', async () => {
  const sale: Movement = { what: 'sale', order: 'A', net_minor: 1_00 }
  const strange = walmartReport([sale, sale], 2_00)
    .replace(/"Sale"(?=[^\r]*$)/, '"Moon Phase"')
    .replace(/"Product Price"(?=[^\r]*$)/, '"Glow"')
  const { lines, proof } = await readBack(walmartRecon, strange.replace('"Product Price"', '"Product tax withheld"'))
  expect(lines.map(({ kind }) => kind)).toEqual(['facilitator_tax', 'other'])
  expect(proof.warnings).toMatchObject([{ message: 'unknown kind of amount "Moon Phase / Glow" is kept as other' }])
})

it('needs the summary first, and tells a tail that was cut off', async () => {
  const [head = '', summary = '', ...rows] = walmartReport([{ what: 'sale', order: 'A', net_minor: 1_00 }]).split(
    '\r\n',
  )
  const late = await readBack(walmartRecon, [head, ...rows, summary].join('\r\n'))
  expect(late.proof.faults).toMatchObject([{ row: 2, message: 'the row PaymentSummary has to come first' }])
  const cut = await readBack(walmartRecon, [head, summary, ...rows].join('\r\n').slice(0, -60))
  expect(faultKinds(cut)).toEqual(expect.arrayContaining(['unreadable', 'payout_identity']))
})
