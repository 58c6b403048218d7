import type { Check } from '../checks.ts'
import { IS_ACTIVE } from '../books/journals.ts'

/** What breaks and fee audits must show of themselves. */
export const BREAKS: readonly Check[] = [
  {
    name: 'write_offs_are_booked_once',
    checked: `select count(*) from breaks`,
    broken: `
      select format('break %s (%s): %s journals', b.id, b.state, j.active) from breaks b
      cross join lateral (select count(*) as active from journals j where j.break_id = b.id and j.kind = 'write_off' and ${IS_ACTIVE}) j
      where j.active <> case when b.state = 'written_off' then 1 else 0 end`,
  },
  {
    name: 'breaks_are_in_a_state_that_fits',
    checked: `select count(*) from breaks`,
    broken: `
      select format('break %s (%s)', id, state) from breaks
      where (write_off_requested_by is not null and state in ('written_off', 'resolved'))
        or (gone_at is not null and state not in ('written_off', 'resolved'))
        or (state = 'assigned' and owner is null) or (state = 'open' and owner is not null)`,
  },
  {
    name: 'fee_audits_name_a_tariff_of_their_connection',
    checked: `select count(*) from fee_audits`,
    broken: `
      select format('settlement line %s', a.settlement_line_id) from fee_audits a
      join settlement_lines l on l.id = a.settlement_line_id join settlements s on s.id = l.settlement_id join tariffs t on t.id = a.tariff_id
      where t.connection_id <> s.connection_id`,
  },
]
