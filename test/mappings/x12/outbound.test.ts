import { describe, expect, it } from 'vitest'
import type {
  FulfillmentRequest,
  InvoiceRequest,
  OrderAnswer,
  ShipmentNotice,
} from '../../../src/core/model/effects.ts'
import { readInterchanges } from '../../../src/mappings/x12/envelope.ts'
import { fault } from '../../../src/mappings/x12/faults.ts'
import { functionalAcknowledgement, interchangeAcknowledgement } from '../../../src/mappings/x12/outAcknowledgements.ts'
import { invoice, orderAcknowledgement, shipNotice, ssccOf } from '../../../src/mappings/x12/outTrade.ts'
import { shippingOrder, transferAdvice, type Written } from '../../../src/mappings/x12/outWarehouse.ts'
import { writeInterchange, type OutSet } from '../../../src/mappings/x12/write.ts'
import { PROFILE } from './samples.ts'

const linesOf = (written: Written): string[] => {
  if (written.kind === 'refuse') throw new Error(written.detail)
  return written.set.segments.map((segment) => segment.join('*').replace(/\*+$/, ''))
}
const sent = (set: OutSet, functional: string, profile = PROFILE): string =>
  writeInterchange(profile, { number: 27, at: '2026-03-01T10:15:30Z', group: { functional, sets: [set] } })
const setOf = (written: Written): OutSet => (written.kind === 'set' ? written.set : expect.fail(written.detail))

const ORDER: FulfillmentRequest = {
  outbox_id: 1, action: 'new', fulfillment_order: 'FO-0000000000A1', order_number: '#1001', location_code: 'RTM', placed_at: '2026-03-01T09:00:00.000Z',
  shipping_method: 'Standard*Air', ship_to: { name: 'Zoë Müller', company: null, line1: 'Straße 1', line2: null, city: 'Köln', region: 'Nordrhein', postcode: '50667', country: 'DE', phone: null },
  lines: [{ sku: 'TEA-1', quantity: 3, line_reference: 'gid://shop/LineItem/1234567890123', title: 'Thé vert ~ doux' }, { sku: 'MUG-1', quantity: 1, line_reference: 'L2', title: null }],
} // prettier-ignore

describe('an interchange', () => {
  it('is read by our own reader as it was written', () => {
    const text = sent(setOf(shippingOrder(ORDER, PROFILE)), 'OW')
    const [read] = readInterchanges(text).interchanges
    expect(
      text.startsWith(
        'ISA*00*          *00*          *ZZ*ACMETRADING    *01*555001234      *260301*1015*U*00401*000000027*0*P*>~',
      ),
    ).toBe(true)
    expect(read).toMatchObject({ faults: [], head: { control: '000000027' } })
    expect(read?.groups).toMatchObject([
      {
        faults: [],
        head: { functional: 'OW', control: '27', version: '004010' },
        sets: [{ id: '940', control: '0001', faults: [] }],
      },
    ])
  })

  it('speaks the release, the dividers and the line ends that are agreed', () => {
    const profile = {
      ...PROFILE,
      version: '005010',
      usage: 'T' as const,
      delimiters: { element: '|', segment: "'", component: ':', repetition: '!' },
      line_breaks: true,
    }
    const text = sent(setOf(shippingOrder(ORDER, profile)), 'OW', profile)
    expect(text).toMatch(/^ISA\|.*\|!\|00501\|000000027\|0\|T\|:'\r\nGS\|OW\|.*\|005010'\r\n/)
    expect(readInterchanges(text).interchanges[0]?.groups[0]?.sets[0]?.faults).toEqual([])
  })

  it('never leaves malformed', () => {
    const set = {
      id: '940',
      segments: [
        ['W05', 'N', 'FO-1'],
        ['W76', 'x'],
      ],
    }
    expect(() => sent(set, 'OW')).toThrow(/not sound: .*W7601/)
    expect(() => sent({ id: '940', segments: [['W05', 'N', 'A~B']] }, 'OW')).toThrow('holds a divider')
  })
})

describe('940', () => {
  it('names the work, where it goes and every line, in letters that everybody has', () => {
    expect(linesOf(shippingOrder(ORDER, PROFILE))).toEqual([
      'W05*N*FO-0000000000A1*#1001',
      'N1*ST*Zoe Muller',
      'N3*Strasse 1',
      'N4*Koln**50667*DE',
      'N1*DE*ACMETRADING',
      'N1*WH**91*RTM',
      'W66*PP*ZZ***Standard Air',
      'LX*1',
      'W01*3*EA**VN*TEA-1',
      'G69*The vert doux',
      'LX*2',
      'W01*1*EA**VN*MUG-1',
      'N9*LI*L2',
      'W76*4',
    ])
  })

  it('recalls work by its number', () => {
    expect(linesOf(shippingOrder({ ...ORDER, action: 'cancel', ship_to: null }, PROFILE))[0]).toBe(
      'W05*F*FO-0000000000A1*#1001',
    )
  })

  it('is refused where a SKU could not be written as it is', () => {
    const lines = [{ sku: 'TÉ*1', quantity: 1, line_reference: 'L', title: null }]
    expect(shippingOrder({ ...ORDER, lines }, PROFILE)).toMatchObject({
      kind: 'refuse',
      detail: expect.stringContaining('line 1') as string,
    })
  })
})

describe('943', () => {
  const supply = { outbox_id: 1, supply_id: 'u', reference: 'PO-77', location_code: 'RTM', expected_at: '2026-03-09T00:00:00.000Z', announced_at: '2026-03-01T09:00:00.000Z', action: 'announce' as const, lines: [{ sku: 'TEA-1', quantity: 30, lot: 'L7' }] } // prettier-ignore
  it('names the purchase and what is expected when', () => {
    const written = transferAdvice(supply, PROFILE)
    expect(linesOf(written)).toEqual([
      'W06*F*PO-77*20260301*PO-77',
      'N1*DE*ACMETRADING',
      'N1*WH**91*RTM',
      'G62*17*20260309',
      'W04*30*EA**VN*TEA-1',
      'N9*LT*L7',
      'W03*30',
    ])
    expect(readInterchanges(sent(setOf(written), 'AR')).interchanges[0]?.faults).toEqual([])
    expect(
      linesOf(
        transferAdvice({ ...supply, action: 'withdraw', lines: [{ sku: 'TEA-1', quantity: 0, lot: null }] }, PROFILE),
      ).at(-1),
    ).toBe('W03*0')
  })
})

describe('855, 856 and 810', () => {
  const answer: OrderAnswer = {
    outbox_id: 1, order_external_id: 'PO-4711', order_number: 'PO-4711', placed_at: '2026-02-28T00:00:00.000Z', answered_at: '2026-03-01T10:00:00.000Z', revision: 2, verdict: 'changed', currency: 'USD',
    lines: [
      { line_external_id: '1', channel_sku: 'TEA-1', ordered: 12, accepted: 8, backordered: 3, unit_price_minor: 925, expected_at: '2026-03-09T00:00:00.000Z' },
      { line_external_id: '2', channel_sku: 'MUG-1', ordered: 2, accepted: 0, backordered: 0, unit_price_minor: 5, expected_at: null },
    ],
  } // prettier-ignore

  it('855 says of every line what is sent, what follows when, and what does not come', () => {
    const written = orderAcknowledgement(answer, PROFILE)
    expect(linesOf(written)).toEqual([
      'BAK*05*AC*PO-4711*20260228*****20260301',
      'CUR*SE*USD',
      'PO1*1*12*EA*9.25**VN*TEA-1',
      'ACK*IA*8*EA',
      'ACK*IB*3*EA*068*20260309',
      'ACK*IR*1*EA',
      'PO1*2*2*EA*0.05**VN*MUG-1',
      'ACK*IR*2*EA',
      'CTT*2',
    ])
    expect(sent(setOf(written), 'PR')).toContain('ST*855*0001~')
  })

  const notice: ShipmentNotice = {
    outbox_id: 1, shipment_id: '01890a5d-ac96-774b-bcce-b302099a8057', order_external_id: 'PO-4711', order_number: 'PO-4711', carrier: 'DHL', tracking_number: 'TRACK1', more_tracking_numbers: ['TRACK2'], tracking_url: null,
    shipped_at: '2026-03-01T09:30:00.000Z', lines: [{ line_external_id: '1', channel_sku: 'TEA-1', quantity: 8 }], units_remaining: 4,
  } // prettier-ignore

  it('856 hangs items on packs, packs on the order, the order on the shipment', () => {
    const sscc = ssccOf('0614141', 1_234_567)
    const written = shipNotice(notice, sscc, PROFILE)
    expect(sscc).toHaveLength(18)
    expect(linesOf(written)).toEqual([
      'BSN*00*SAC96774BBCCEB302099A8057*20260301*093000*0001',
      'HL*1**S', 'TD5****M*DHL', 'REF*CN*TRACK1', 'REF*CN*TRACK2', 'DTM*011*20260301*0930*UT',
      'HL*2*1*O', 'PRF*PO-4711', 'HL*3*2*P', `MAN*GM*${sscc}`, 'MAN*CP*TRACK1',
      'HL*4*3*I', 'LIN*1*VN*TEA-1', 'SN1**8*EA', 'CTT*4',
    ]) // prettier-ignore
    expect(linesOf(shipNotice(notice, null, PROFILE)).filter((line) => line.startsWith('HL'))).toEqual([
      'HL*1**S',
      'HL*2*1*O',
      'HL*3*2*I',
    ])
    expect(sent(setOf(written), 'SH')).toContain('CTT*4~')
  })

  it('makes check digits as GS1 does', () => {
    expect(ssccOf('061414', 1)).toMatch(/^0061414\d{11}$/)
    const weigh = (code: string): number =>
      code.split('').reduce((sum, digit, index) => sum + Number(digit) * (index % 2 === 0 ? 3 : 1), 0) % 10
    expect([0, 1, 77, 99_999].map((serial) => weigh(ssccOf('9501234', serial)))).toEqual([0, 0, 0, 0])
  })

  const bill: InvoiceRequest = {
    outbox_id: 1, number: 'INV-00000042', order_external_id: 'PO-4711', order_number: 'PO-4711', order_placed_at: '2026-02-28T00:00:00.000Z', invoiced_at: '2026-03-01T10:00:00.000Z', currency: 'USD',
    lines: [{ line_external_id: '1', channel_sku: 'TEA-1', title: 'Green tea', quantity: 8, unit_price_minor: 925, amount_minor: 7_300 }], shipping_minor: 500, tax_minor: 130, total_minor: 7_930,
  } // prettier-ignore

  it('810 comes to its total in parts, and is not sent when it does not', () => {
    const written = invoice(bill, { ...PROFILE, payment_terms_days: 30 })
    expect(linesOf(written)).toEqual([
      'BIG*20260301*INV-00000042*20260228*PO-4711***DI', 'CUR*SE*USD', 'ITD*01*3*****30', 'IT1*1*8*EA*9.25**VN*TEA-1', 'PID*F****Green tea',
      'TDS*7930', 'TXI*TX*1.30', 'SAC*A*C310***100', 'SAC*C*D240***500', 'CTT*1',
    ]) // prettier-ignore
    expect(sent(setOf(written), 'IN')).toContain('TDS*7930~')
    expect(invoice({ ...bill, total_minor: 7_931 }, PROFILE)).toMatchObject({ kind: 'refuse' })
    expect(linesOf(invoice({ ...bill, currency: 'JPY' }, PROFILE))).toContain('TDS*793000')
    expect(invoice({ ...bill, currency: 'KWD' }, PROFILE)).toMatchObject({ kind: 'refuse' })
  })
})

describe('997 and TA1', () => {
  const at = {
    segment: 'W12',
    position: 8,
    code: '8',
    element: { position: 3, number: '382', code: '6', meaning: 'shipped' },
  }
  const group = {
    functional: 'SW', control: '0101', claimed: '2', faults: [],
    sets: [{ id: '945', control: '0001', faults: [] }, { id: '945', control: '0002', faults: [fault('element_invalid', 'x', at)] }],
  } // prettier-ignore

  it('answers a group set by set, with the places of what was wrong', () => {
    const set = functionalAcknowledgement(group, [])
    expect(set.segments.map((segment) => segment.join('*'))).toEqual([
      'AK1*SW*101', 'AK2*945*0001', 'AK5*A', 'AK2*945*0002', 'AK3*W12*8**8', 'AK4*3*382*6', 'AK5*R*5', 'AK9*P*2*2*1',
    ]) // prettier-ignore
    expect(sent(set, 'FA')).toContain('ST*997*0001~')
  })

  it.each([
    ['all sound', [], [], 'A'],
    ['with what is let pass', [fault('se_count', 'x')], ['se_count'], 'E'],
    ['refused', [fault('se_count', 'x')], [], 'R'],
  ])('says of a group %s', (_name, faults, tolerances, status) => {
    const set = functionalAcknowledgement({ ...group, sets: [{ id: '945', control: '0001', faults }] }, tolerances)
    expect(set.segments.at(-1)?.[1]).toBe(status)
  })

  it('answers even for a set that has no name', () => {
    const set = functionalAcknowledgement(
      { ...group, sets: [{ id: 'x*', control: '', faults: [fault('st_invalid', 'x')] }] },
      [],
    )
    expect(sent(set, 'FA')).toContain('AK2*000*0~AK5*R*7~')
  })

  it('TA1 names the number, and the first fault that stops', () => {
    const head = { control: '000000101', date: '260301', time: '1015' } as Parameters<
      typeof interchangeAcknowledgement
    >[0]['head']
    const told = (faults: ReturnType<typeof fault>[], tolerances: string[], state: 'new' | 'same' | 'other' = 'new') =>
      interchangeAcknowledgement({ head, faults }, tolerances, state)?.join('*')
    expect(told([], [])).toBe('TA1*000000101*260301*1015*A*000')
    expect(told([fault('iea_count', 'x')], [])).toBe('TA1*000000101*260301*1015*R*021')
    expect(told([fault('iea_count', 'x')], ['iea_count'])).toBe('TA1*000000101*260301*1015*E*021')
    expect(told([], [], 'other')).toBe('TA1*000000101*260301*1015*R*025')
  })
})
