import Fastify from 'fastify'
import type { Hub } from '../hub.ts'
import { registerApi, registerDocs } from './api/index.ts'
import type { App } from './app.ts'
import { validatorCompiler } from './validator.ts'

/** The OpenAPI document of the API as plain JSON. Needs no database: the routes are registered and never called. */
export async function openApiDocument(): Promise<unknown> {
  const app: App = Fastify()
  app.setValidatorCompiler(validatorCompiler)
  // What routes ask of the hub while they register: a limit that is no part of the document.
  const hub = { config: { finance: { file_bytes_max: 1 } } } as Hub
  await registerDocs(app)
  await registerApi(app, hub)
  await app.ready()
  try {
    return JSON.parse(JSON.stringify(app.swagger()))
  } finally {
    await app.close()
  }
}
