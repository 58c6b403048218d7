import { x12 } from '../../../src/connectors/x12/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'
import {
  ADJUSTED,
  COUNTED,
  interchange,
  ORDERED,
  parse,
  PROFILE,
  RECEIVED,
  SHIPPED,
} from '../../mappings/x12/samples.ts'

const settings = { ...PROFILE, units: { CA: 6 } }
const SAME_FILE = 'the same file under the same name, with the same numbers'

/** A set as the file reader hands it to its mapping. */
const sample = (name: string, id: string, functional: string, segments: readonly string[]) => {
  const [row] = parse(interchange([{ id, segments }], { functional }), settings).rows
  if (row === undefined || row.fault !== undefined) throw new Error(`${name} is not sound`)
  return { name, topic: row.topic, payload: row.payload, settings }
}

connectorContract(
  {
    connector: x12,
    settings: () => ({
      ...settings,
      transport: {
        kind: 'sftp',
        host: '127.0.0.1',
        username: 'hub',
        password: 'long-secret-password',
        host_key_sha256: `SHA256:${'A'.repeat(43)}`,
        root: '/',
      },
    }),
    samples: [
      sample('945', '945', 'SW', SHIPPED),
      sample('944', '944', 'RE', RECEIVED),
      sample('947', '947', 'AW', ADJUSTED),
      sample('846', '846', 'IB', COUNTED),
      sample('850', '850', 'PO', ORDERED),
      sample('860', '860', 'PC', ['BCH*05*SA*PO-4711***20260228', 'POC*1*RZ*5**EA*9.25**VN*TEA-1', 'CTT*1']),
      {
        name: 'TA1',
        topic: 'interchange_acknowledgement',
        payload: { elements: ['TA1', '000000031', '260301', '0900', 'R', '021'], date: '260301', time: '0905' },
      },
      sample('997', '997', 'FA', ['AK1*OW*27', 'AK2*940*0001', 'AK5*A', 'AK9*A*1*1*1']),
    ],
    unknown_words: [
      sample('945', '945', 'SW', SHIPPED.with(6, 'W12*ZZ*3*3*0*EA**VN*TEA-1')),
      sample('947', '947', 'AW', ADJUSTED.with(2, 'W19*ZZ*-2*EA**VN*TEA-1')),
    ],
    personal: ['1 MAIN ST', '5550100'],
    repeatable: {
      fulfillment: SAME_FILE,
      announcements: SAME_FILE,
      orderAnswers: SAME_FILE,
      shipments: SAME_FILE,
      invoices: SAME_FILE,
    },
  },
  import.meta.dirname,
)
