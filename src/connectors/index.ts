import type { Connector } from './_kit/define.ts'
import { filedrop } from './filedrop/index.ts'
import { shopify } from './shopify/index.ts'
import { stripe } from './stripe/index.ts'
import { woocommerce } from './woocommerce/index.ts'

/** The registry: one line a vendor. */
export const connectors: Readonly<Record<string, Connector>> = { filedrop, shopify, stripe, woocommerce }
