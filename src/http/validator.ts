import { Ajv2020 } from 'ajv/dist/2020.js'
import formatsPlugin from 'ajv-formats'
import type { FastifySchemaCompiler } from 'fastify'

/** Texts become numbers in queries and paths, where everything is text; never in bodies. Unknown fields are refused, not dropped. */
const coercing = newAjv(true)
const literal = newAjv(false)

function newAjv(coerceTypes: boolean): Ajv2020 {
  const ajv = new Ajv2020({ coerceTypes, useDefaults: true, allErrors: false, strict: false })
  formatsPlugin.default(ajv)
  return ajv
}

export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) =>
  (httpPart === 'body' ? literal : coercing).compile(schema)
