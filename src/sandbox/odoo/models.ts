import type { Models } from './model.ts'
import { BASE } from './modelsBase.ts'
import { BOOKS } from './modelsBooks.ts'
import { PRODUCTS } from './modelsProducts.ts'
import { SALES } from './modelsSales.ts'
import { STOCK } from './modelsStock.ts'

/** Every model there is. */
export const MODELS: Models = { ...BASE, ...PRODUCTS, ...SALES, ...STOCK, ...BOOKS }
