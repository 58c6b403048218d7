import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openApiDocument } from '../../src/http/openapi.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub

beforeAll(async () => {
  kit = await openHttpHub()
})
afterAll(() => kit.close())

describe('OpenAPI', () => {
  it('is what docs/openapi.json says (scripts/openapi.ts writes it)', async () => {
    const written: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8'))
    expect(await openApiDocument()).toEqual(written)
  })

  it('keeps the names of schemas and describes every route of the API', async () => {
    const document = (await openApiDocument()) as { components: { schemas: object }; paths: Record<string, object> }
    expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(['Order', 'Problem', 'StockLevel']))
    expect(Object.keys(document.paths).every((path) => path.startsWith('/api/v1/'))).toBe(true)
    expect(JSON.stringify(document)).not.toContain('def-')
  })

  it('has its pages at /docs for everyone', async () => {
    const page = await kit.app.inject('/docs')
    expect([page.statusCode, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect((await kit.app.inject('/docs/json')).json()).toMatchObject({ openapi: '3.1.0' })
  })
})
