import { csv } from '../../../src/connectors/csv/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'

connectorContract(
  {
    connector: csv,
    settings: () => ({
      settlement_files: {
        columns: { id: 'Reference', date: 'Booked', type: 'Kind', gross: 'Gross', fee: 'Fee', payout: 'Payout' },
        kinds: { Sale: 'sale' },
        currency: 'EUR',
      },
    }),
    samples: [],
  },
  import.meta.dirname,
)
