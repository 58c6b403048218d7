import { ebay } from '../../../src/connectors/ebay/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'

connectorContract(
  {
    connector: ebay,
    settings: (api) => ({
      api: {
        client_id: 'app-id',
        client_secret: 'cert-id-0123',
        refresh_token: 'refresh-0123456789',
        finances_url: api,
        identity_url: api,
      },
    }),
    samples: [],
    answers: ({ path }) =>
      path.startsWith('/identity')
        ? { status: 200, body: { access_token: 'token-0123456789', expires_in: 7200 } }
        : undefined,
  },
  import.meta.dirname,
)
