import type { Job } from '../define.ts'
import { breaks } from './breaks.ts'
import { availability, measure, readBack, reassert, trust } from './availability.ts'
import { postBooks } from './books.ts'
import { effects } from './effects.ts'
import { erpCatchUp, erpStock } from './erp.ts'
import { files } from './files.ts'
import { drain } from './intake.ts'
import { allocateWaitingOrders, backfill, expire, expiredLots, pruneOld, sweep, wakeMissedRows } from './maintenance.ts'
import { forgetPeople } from './people.ts'
import { partners } from './partners.ts'
import { pull } from './pull.ts'
import { selfTests } from './selfTests.ts'
import { matchSettlements } from './settlement.ts'

/** The register: every job that a worker can run. */
export const jobs: readonly Job[] = [
  drain,
  pull,
  files,
  availability,
  readBack,
  trust,
  measure,
  reassert,
  ...effects,
  matchSettlements,
  breaks,
  postBooks,
  expire,
  expiredLots,
  backfill,
  erpStock,
  erpCatchUp,
  wakeMissedRows,
  partners,
  allocateWaitingOrders,
  pruneOld,
  forgetPeople,
  selfTests,
  sweep,
]
