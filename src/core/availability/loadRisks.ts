import type { Queryable } from '../../db/pool.ts'
import type { AvailabilityPolicy } from '../context.ts'
import { adaptiveUnits, LAG_UNMEASURED_MS, peakUnits } from './rulesAdaptive.ts'

interface RiskRow {
  listing_id: number
  connection_id: string
  components: readonly { item_id: number; per_unit: number }[]
}

/** The adaptive buffer of a listing, and what peak mode adds to it. Zero where the channel does not want one. */
export interface Risks {
  of: (
    connection_id: string,
    components: RiskRow['components'],
    adaptive: AvailabilityPolicy['adaptive'],
  ) => { adaptive: number; peak: number }
}

/**
 * What has been measured of these listings: the lag of their channels, the sales of their items by channel, peak mode. It reads what
 * the measuring job wrote and measures nothing itself, so that a number does not move between two measurements. One statement, none
 * for no rows.
 */
export async function loadRisks(q: Queryable, rows: readonly RiskRow[]): Promise<Risks> {
  if (rows.length === 0) return { of: () => ({ adaptive: 0, peak: 0 }) }
  const [found] = await q.query<{
    channels: { id: string; lag_ms: number | null; peak: boolean }[]
    sales: { item_id: number; connection_id: string; units_per_hour: number }[]
  }>(
    `select
       (select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'lag_ms', p.effective_ms, 'peak', m.peak_mode)), '[]')
        from connections c join companies m on m.id = c.company_id left join push_lag p on p.connection_id = c.id
        where c.id = any($1::text[])) as channels,
       (select coalesce(jsonb_agg(jsonb_build_object('item_id', v.item_id, 'connection_id', v.connection_id,
                 'units_per_hour', v.units_per_hour)), '[]')
        from sales_velocity v where v.item_id = any($2::bigint[])) as sales`,
    [
      [...new Set(rows.map((row) => row.connection_id))],
      [...new Set(rows.flatMap((row) => row.components.map(({ item_id }) => item_id)))],
    ],
  )
  const channels = new Map((found?.channels ?? []).map((row) => [row.id, row]))
  const sales = Map.groupBy(found?.sales ?? [], (row) => row.item_id)
  return {
    of: (connection_id, components, policy) => {
      if (policy === null) return { adaptive: 0, peak: 0 }
      const elsewhere = components.map(({ item_id, per_unit }) => {
        const others = (sales.get(item_id) ?? []).filter((row) => row.connection_id !== connection_id)
        return others.reduce((sum, row) => sum + row.units_per_hour, 0) / per_unit
      })
      const channel = channels.get(connection_id)
      const adaptive = adaptiveUnits({
        lag_ms: channel?.lag_ms ?? LAG_UNMEASURED_MS,
        units_per_hour: Math.max(0, ...elsewhere),
        weight: policy.oversell_weight,
        units_max: policy.units_max,
      })
      return { adaptive, peak: channel?.peak === true ? peakUnits(adaptive) : 0 }
    },
  }
}
