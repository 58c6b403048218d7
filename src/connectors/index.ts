import type { Connector } from './_kit/define.ts'
import { adyen } from './adyen/index.ts'
import { amazon } from './amazon/index.ts'
import { bank } from './bank/index.ts'
import { csv } from './csv/index.ts'
import { easypost } from './easypost/index.ts'
import { ebay } from './ebay/index.ts'
import { odoo } from './odoo/index.ts'
import { paypal } from './paypal/index.ts'
import { walmart } from './walmart/index.ts'
import { filedrop } from './filedrop/index.ts'
import { shopify } from './shopify/index.ts'
import { stripe } from './stripe/index.ts'
import { woocommerce } from './woocommerce/index.ts'
import { x12 } from './x12/index.ts'

/** The registry: one line a vendor. */
export const connectors: Readonly<Record<string, Connector>> = {
  adyen,
  amazon,
  bank,
  csv,
  easypost,
  ebay,
  filedrop,
  odoo,
  paypal,
  shopify,
  stripe,
  walmart,
  woocommerce,
  x12,
}
