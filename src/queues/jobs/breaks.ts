import Type from 'typebox'
import { defineJob } from '../define.ts'
import { refreshAllBreaks } from '../refreshBreaks.ts'

/** Looks at what matching and the imports leave open: fees against their tariffs, and everything that is a break. */
export const breaks = defineJob({
  name: 'breaks',
  queue: 'settlement',
  data: Type.Object({}),
  timeout_ms: 5 * 60_000,
  concurrency: 1,
  run: async (hub, _data, { signal }) => {
    const { found, opened, reopened, resolved } = await refreshAllBreaks(hub, { signal })
    return `${found} break(s): ${opened} new, ${reopened} open again, ${resolved} gone`
  },
})
