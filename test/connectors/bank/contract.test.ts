import { bank } from '../../../src/connectors/bank/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'

connectorContract(
  {
    connector: bank,
    settings: () => ({
      account: 'DE02120300000000202051',
      currency: 'EUR',
      csv: { columns: { booked_on: 'Buchungstag', amount: 'Betrag', text: ['Text'] }, decimal: ',', dates: 'dmy' },
    }),
    samples: [],
  },
  import.meta.dirname,
)
