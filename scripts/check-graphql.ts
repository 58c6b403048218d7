/**
 * Holds every GraphQL document that the Shopify connector sends, and the schema that its simulator speaks, against Shopify's own
 * schema: `node scripts/check-graphql.ts <introspection.json[.gz]>`. The introspection is not kept here; `npm view @shopify/dev-mcp`
 * tells where Shopify publishes it. Exits 1 when anything does not fit.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import {
  buildClientSchema, buildSchema, isEnumType, isInputObjectType, isInterfaceType, isObjectType, isScalarType, parse, validate, type GraphQLSchema, type IntrospectionQuery,
} from 'graphql' // prettier-ignore
import * as documents from '../src/connectors/shopify/_graphql.ts'
import { SDL } from '../src/sandbox/shopify/schema.ts'

function readSchema(path: string): GraphQLSchema {
  const bytes = readFileSync(path)
  const json = JSON.parse((path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')) as {
    data?: IntrospectionQuery
  }
  return buildClientSchema(json.data ?? (json as unknown as IntrospectionQuery))
}

/** Every way in which `part` promises something that `whole` does not have. Scalars may stand for enums: their values are free text. */
function subsetFaults(part: GraphQLSchema, whole: GraphQLSchema): string[] {
  return Object.values(part.getTypeMap()).flatMap((type) => {
    const real = whole.getType(type.name)
    if (type.name.startsWith('__') || (isScalarType(type) && real !== undefined)) return []
    if (real === undefined) return [`type ${type.name} does not exist`]
    if (isEnumType(type) && isEnumType(real)) {
      return type.getValues().filter(({ name }) => !real.getValue(name)).map(({ name }) => `${type.name}.${name} does not exist`) // prettier-ignore
    }
    const fielded = (isObjectType(type) || isInterfaceType(type)) && (isObjectType(real) || isInterfaceType(real))
    if (fielded) {
      return Object.values(type.getFields()).flatMap((field) => {
        const twin = real.getFields()[field.name]
        if (twin === undefined) return [`${type.name}.${field.name} does not exist`]
        const args = field.args.map((arg) => [arg, twin.args.find(({ name }) => name === arg.name)] as const)
        return [
          ...(String(twin.type) === String(field.type) ? [] : [`${type.name}.${field.name} is ${String(twin.type)}`]),
          ...args
            .filter(([arg, other]) => String(arg.type) !== String(other?.type))
            .map(([arg]) => `${type.name}.${field.name}(${arg.name}) differs`),
        ]
      })
    }
    if (isInputObjectType(type) && isInputObjectType(real)) {
      return Object.values(type.getFields())
        .filter((field) => String(real.getFields()[field.name]?.type) !== String(field.type))
        .map((field) => `${type.name}.${field.name} differs`)
    }
    return [`${type.name} is of another kind`]
  })
}

const path = process.argv[2]
if (path === undefined) {
  console.error('usage: node scripts/check-graphql.ts <introspection.json[.gz]>')
  process.exit(1)
}
const schema = readSchema(path)
const checked = Object.entries(documents)
const faults = [
  ...checked.flatMap(([name, text]) => validate(schema, parse(text)).map((fault) => `${name}: ${fault.message}`)),
  ...subsetFaults(buildSchema(SDL), schema).map((fault) => `sandbox schema: ${fault}`),
]
for (const fault of faults) console.error(fault)
console.log(`${checked.length} documents checked, ${faults.length} faults`)
process.exit(faults.length === 0 && checked.length > 0 ? 0 : 1)
