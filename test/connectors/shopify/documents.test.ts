import { buildSchema, parse, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import * as documents from '../../../src/connectors/shopify/_graphql.ts'
import { SDL } from '../../../src/sandbox/shopify/schema.ts'

describe('GraphQL documents', () => {
  const schema = buildSchema(SDL)

  it('are all here', () => {
    expect(Object.keys(documents)).toHaveLength(10)
  })

  it.each(Object.entries(documents))('%s is valid against our part of the schema', (_, text) => {
    expect(validate(schema, parse(text)).map((fault) => fault.message)).toEqual([])
  })

  it('would notice a field that does not exist', () => {
    expect(validate(schema, parse(documents.SHOP.replace('currencyCode', 'currency')))).toHaveLength(1)
  })
})
