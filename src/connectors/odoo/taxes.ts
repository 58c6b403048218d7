import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { decimalOf } from './amounts.ts'
import type { Odoo } from './client.ts'
import { rows, search } from './records.ts'
import { rateOf, type SaleTax } from './rulesTax.ts'

const TAX = rows('account.tax', { name: Type.String(), amount: Type.Number(), price_include: Type.Boolean() })

/**
 * Sale taxes in percent that lines may be given. With a table in the settings only those, by its rates; otherwise all of the company
 * but those of nought percent: exports, exemptions and reverse charge look alike there, and no tax is told apart from them by settings.
 */
export const saleTaxes = (odoo: Odoo): Promise<SaleTax[]> => odoo.keep('taxes', () => readTaxes(odoo))

async function readTaxes(odoo: Odoo): Promise<SaleTax[]> {
  const company = await odoo.company()
  const domain = [
    ['type_tax_use', '=', 'sale'],
    ['amount_type', '=', 'percent'],
    ['company_id', 'parent_of', [company.id]],
  ]
  const taxes = (await search(odoo, TAX, domain, { order: 'sequence, id' })).map(
    ({ id, name, amount, price_include }): SaleTax => ({
      id,
      name,
      rate_e4: rateOf(decimalOf(amount)),
      included: price_include,
    }),
  )
  const table = odoo.settings.taxes
  if (table === undefined) return taxes.filter(({ rate_e4 }) => rate_e4 > 0)
  return table.map(({ rate, tax }) => {
    const meant = taxes.find(({ id, name }) => String(id) === tax || name === tax)
    if (meant === undefined) throw new HubError('config_invalid', `Odoo has no sale tax "${tax}" in percent`)
    if (meant.rate_e4 !== rateOf(rate))
      throw new HubError('config_invalid', `the tax "${tax}" is not of ${rate} percent`)
    return meant
  })
}
