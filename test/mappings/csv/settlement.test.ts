import fc from 'fast-check'
import { expect, it } from 'vitest'
import { genericCsv } from '../../../src/mappings/csv/settlement.ts'
import { expectFound, expectSame, faultKinds, movements, readBack, total } from '../movements.ts'
import { CSV_KINDS, CSV_SETTINGS, csvReport } from './report.ts'

it('any movements come back by a column map, and damage is found', async () => {
  await fc.assert(
    fc.asyncProperty(movements(CSV_KINDS), fc.nat(), async (all, at) => {
      const back = await readBack(genericCsv, csvReport(all), CSV_SETTINGS)
      expectSame(back, all)
      expect(back.proof.settlements).toMatchObject([
        {
          external_id: 'file-2026-09-02',
          header: { status: 'paid', bank_reference: 'PO-1', created_at: '2026-09-03T22:00:00.000Z' },
        },
      ])
      await expectFound((damaged) => readBack(genericCsv, csvReport(damaged, total(all)), CSV_SETTINGS), all, at)
      if (all.length > 1) {
        const swapped = csvReport(all, total(all), (row) => (row === 1 + (at % (all.length - 1)) ? 'CHF' : 'EUR'))
        expect(faultKinds(await readBack(genericCsv, swapped, CSV_SETTINGS))).toContain('currency')
      }
    }),
    { numRuns: 40 },
  )
})

const ALL_THREE = {
  columns: { date: 'day', gross: 'gross', fee: 'fee', net: 'net', payout: 'payout' },
  decimal: '.',
  currency: 'USD',
}

it.each([
  ['cost', '10.00,1.00,9.00', []],
  ['cost', '10.00,1.00,9.01', ['line_identity']],
  ['signed', '10.00,-1.00,9.00', []],
  ['signed', '10.00,,9.00', []],
])('gross, fee (%s) and net of %s are proven against each other', async (fee_sign, cells, faults) => {
  const back = await readBack(genericCsv, `day,gross,fee,net,payout\n2026-09-03,${cells},P1\n`, {
    ...ALL_THREE,
    fee_sign,
  })
  expect(back.lines).toMatchObject([{ gross_minor: 10_00, fee_minor: 1_00 }])
  expect(faultKinds(back)).toEqual(faults)
  expect(back.proof.warnings.at(-1)?.message).toMatch(/nothing is proven/)
})

it('rows without an id are told apart by their place among equals', async () => {
  const row = '2026-09-03,1.00,,,P1\n'
  const { lines, proof } = await readBack(genericCsv, `day,gross,fee,net,payout\n${row}${row}${row}`, ALL_THREE)
  const [first = '', second, third] = lines.map(({ external_id }) => external_id)
  expect([second, third]).toEqual([`${first}-2`, `${first}-3`])
  expect(proof.settlements).toMatchObject([{ lines: 3, faults: [] }])
})

it('says which settings are missing, and which column', async () => {
  const text = 'day,gross\n2026-09-03,1.00\n'
  await expect(readBack(genericCsv, text)).rejects.toMatchObject({
    code: 'file_invalid',
    hint: expect.stringContaining('columns needs date') as string,
  })
  await expect(readBack(genericCsv, text, ALL_THREE)).rejects.toMatchObject({
    message: 'columns are missing: fee, net, payout',
  })
})
