import { walmart } from '../../../src/connectors/walmart/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'

connectorContract(
  {
    connector: walmart,
    settings: (api) => ({ api: { client_id: 'client', client_secret: 'secret-0123456789', api_url: api } }),
    samples: [],
    answers: ({ path }) =>
      path === '/v3/token' ? { status: 200, body: { access_token: 'token-0123456789', expires_in: 900 } } : undefined,
  },
  import.meta.dirname,
)
