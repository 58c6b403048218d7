import { describe, expect, it } from 'vitest'
import { ADJUSTED, COUNTED, documents, factsOf, interchange, ORDERED, parse, PROFILE, RECEIVED, SHIPPED } from './samples.ts' // prettier-ignore

const causes = (text: string, settings?: object): string[] =>
  parse(text, settings).rows.map(({ fault }) => (fault === undefined ? 'sound' : `${fault.code} ${fault.path}`))

describe('945 shipping advice', () => {
  it('makes a parcel of every carton number, and says what was short', () => {
    const { facts, warnings } = factsOf(interchange([{ id: '945', segments: SHIPPED }]))
    expect(warnings).toEqual([])
    expect(documents(facts, 'shipment')).toMatchObject([
      {
        external_id: 'FO-0000000000A1/BOL77/TRACK1',
        fulfillment_order: 'FO-0000000000A1',
        shipped_at: '2026-03-01T09:30:00.550Z',
        carrier: 'DHL EXPRESS',
        tracking_number: 'TRACK1',
        lines: [{ sku: 'TEA-1', quantity: 3, line_reference: 'line-1', lot: null }],
      },
      { tracking_number: 'TRACK2', lines: [{ sku: 'MUG-1', quantity: 2, lot: 'LOT9' }] },
    ])
    expect(documents(facts, 'acknowledgement')).toEqual([
      {
        fulfillment_order: 'FO-0000000000A1',
        verdict: 'short',
        reason: null,
        at: '2026-03-01T09:30:00.550Z',
        lines: [{ sku: 'MUG-1', quantity: 3 }],
        reference: 'FO-0000000000A1/BOL77',
      },
    ])
  })

  it.each([
    ['IC', 'cancelled'],
    ['DS', 'rejected'],
  ])('without a unit and with status %s is the answer %s', (status, verdict) => {
    const segments = ['W06*F*FO-1*20260301', 'N1*WH**91*RTM', 'LX*1', `W12*${status}*3*0*3*EA**VN*TEA-1`, 'W03*0']
    const { facts } = factsOf(interchange([{ id: '945', segments }]))
    expect(facts.map(({ kind }) => kind)).toEqual(['acknowledgement'])
    expect(documents(facts, 'acknowledgement')[0]).toMatchObject({ verdict, at: '2026-03-01T10:15:00.000Z' })
  })

  it('says nothing of what follows, and takes a code that nobody knows for that', () => {
    const segments = ['W06*F*FO-1*20260228*B1', 'N1*WH**91*RTM', 'LX*1', 'W12*ZZ*3*1*2*EA**VN*TEA-1', 'W03*1']
    const { facts, warnings } = factsOf(interchange([{ id: '945', segments }]))
    expect(facts.map(({ kind }) => kind)).toEqual(['shipment'])
    expect(warnings[0]).toContain('line status W1201 "ZZ"')
    // A day before the message: its end, because too early a time would bring the units back.
    expect(documents(facts, 'shipment')[0]?.shipped_at).toBe('2026-02-28T23:59:59.990Z')
  })

  it('counts in our units, and refuses a unit that nothing is agreed about', () => {
    const segments = ['W06*F*FO-1*20260301*B1', 'N1*WH**91*RTM', 'LX*1', 'W12*CC*2*2*0*CA**VN*TEA-1', 'W03*2']
    const text = interchange([{ id: '945', segments }])
    expect(documents(factsOf(text, { ...PROFILE, units: { CA: 12 } }).facts, 'shipment')[0]?.lines[0]?.quantity).toBe(
      24,
    )
    expect(() => factsOf(text)).toThrow(/W12 at position 5, element 5: nothing is agreed about the unit CA/)
  })
})

describe('what the warehouse says of stock', () => {
  it('944 is a receipt by condition, of the supply that it names', () => {
    const { facts } = factsOf(interchange([{ id: '944', segments: RECEIVED }], { functional: 'RE' }), {
      ...PROFILE,
      units: { CA: 6 },
    })
    expect(documents(facts, 'receipt')).toEqual([
      {
        external_id: 'RCV-5',
        location_code: 'RTM',
        received_at: '2026-03-01T09:30:00.000Z',
        reference: 'PO-77',
        lines: [
          { sku: 'TEA-1', quantity: 7, to: 'available', lot: 'L7', expires_on: null },
          { sku: 'TEA-1', quantity: 1, to: 'quality_control', lot: 'L7', expires_on: null },
          { sku: 'TEA-1', quantity: 2, to: 'damaged', lot: 'L7', expires_on: null },
          { sku: 'MUG-1', quantity: 24, to: 'available', lot: null, expires_on: null },
        ],
      },
    ])
  })

  it('944 with the report of a customer return is a return', () => {
    const segments = ['W17*C*20260301*RCV-6*FO-1', 'N1*WH**91*RTM', 'W07*2*EA**VN*TEA-1', 'W13*1*EA*01', 'W14*2']
    const { facts } = factsOf(interchange([{ id: '944', segments }], { functional: 'RE' }))
    expect(documents(facts, 'return')).toMatchObject([
      {
        external_id: 'RCV-6',
        fulfillment_order: 'FO-1',
        lines: [{ quantity: 1, disposition: 'restock' }, { disposition: 'damaged' }],
      },
    ])
  })

  it('947 is one movement a line; holds are left to the next count', () => {
    const { facts } = factsOf(interchange([{ id: '947', segments: ADJUSTED }], { functional: 'AW' }))
    expect(
      documents(facts, 'stock_change').map(({ external_id, sku, delta, reason }) => [external_id, sku, delta, reason]),
    ).toEqual([
      ['ADJ-3/1', 'TEA-1', -2, 'damaged'],
      ['ADJ-3/2', 'MUG-1', 4, 'found'],
      ['ADJ-3/3', 'MUG-1', -1, 'adjusted'],
    ])
  })

  it('846 counts what is here; sellable units alone lack those that are not', () => {
    const { facts } = factsOf(interchange([{ id: '846', segments: COUNTED }], { functional: 'IB' }))
    expect(documents(facts, 'stock_count')).toMatchObject([
      {
        location_code: 'RTM',
        as_of: '2026-03-01T08:00:15.500Z',
        lines: [
          { sku: 'TEA-1', on_hand: 40, damaged: 2, quality_control: 0 },
          { sku: 'MUG-1', on_hand: 8, damaged: 0, quality_control: 1 },
        ],
      },
    ])
  })

  it('846 says by its purpose whether it names everything', () => {
    const full = interchange([{ id: '846', segments: COUNTED }], { functional: 'IB' })
    const part = interchange([{ id: '846', segments: COUNTED.with(0, 'BIA*04*SI*CNT-9*20260301*0800') }], {
      functional: 'IB',
    })
    expect(parse(full)).toMatchObject({ scope: 'full', totals: { rows: 2 } })
    expect(parse(full, { ...PROFILE, full_replaces: true }).absent).toBe('zero')
    expect(parse(part).scope).toBe('partial')
    expect(parse(full + part.replaceAll('000000101', '000000102')).scope).toBe('partial')
  })
})

describe('850 and 860', () => {
  it('is an order on account, with exact totals where a price has more decimals than money', () => {
    const { facts, warnings } = factsOf(interchange([{ id: '850', segments: ORDERED }], { functional: 'PO' }), {
      ...PROFILE,
      units: { CA: 6 },
    })
    const [order] = documents(facts, 'order')
    expect(order).toMatchObject({
      external_id: 'PO-4711',
      currency: 'USD',
      payment_state: 'authorized',
      placed_at: '2026-02-28T00:00:00.000Z',
      ship_by: '2026-03-10T23:59:59.000Z',
      shipping_method: 'GROUND',
      ship_to: {
        company: 'BAKER STORES',
        name: 'DOCK 3',
        line1: '1 MAIN ST',
        city: 'AUSTIN',
        region: 'TX',
        postcode: '78701',
        country: 'US',
        phone: '5550100',
      },
      totals: { total_minor: 11_100 + 67 },
      lines: [
        {
          external_id: '1',
          channel_sku: 'TEA-1',
          title: 'GREEN TEA',
          quantity: 12,
          unit_price_minor: 925,
          total_minor: 11_100,
        },
        {
          external_id: '2',
          channel_sku: 'MUG-1',
          quantity: 12,
          unit_price_minor: 6,
          discount_minor: 5,
          total_minor: 67,
        },
      ],
    })
    expect(warnings[0]).toContain('no whole number of minor units')
  })

  it('ends and replaces orders; single changes wait for a person', () => {
    const change = (head: string, ...lines: string[]): string =>
      interchange([{ id: '860', segments: [head, ...lines, `CTT*${lines.length}`] }], { functional: 'PC' })
    expect(factsOf(change('BCH*01*SA*PO-4711***20260228', 'POC*1*DI*12**EA*9.25**VN*TEA-1')).facts).toMatchObject([
      { kind: 'cancellation', document: { external_id: 'PO-4711' } },
    ])
    const whole = factsOf(change('BCH*05*SA*PO-4711***20260228', 'POC*1*RZ*5**EA*9.25**VN*TEA-1')).facts
    expect(documents(whole, 'order')[0]).toMatchObject({
      external_id: 'PO-4711',
      lines: [{ external_id: '1', quantity: 5, unit_price_minor: 925 }],
    })
    expect(() => factsOf(change('BCH*04*SA*PO-4711***20260228', 'POC*1*QD*2**EA*9.25**VN*TEA-1'))).toThrow(
      'single changes',
    )
  })

  it('wants a currency from somewhere', () => {
    const segments = ORDERED.filter((text) => !text.startsWith('CUR')).map((text) => text.replace('*CA*', '*EA*'))
    const text = interchange([{ id: '850', segments }], { functional: 'PO' })
    const { currency: _none, ...without } = PROFILE
    expect(() => factsOf(text, without)).toThrow('names no currency')
    expect(documents(factsOf(text).facts, 'order')[0]?.currency).toBe('USD')
  })
})

describe('997, 999 and TA1', () => {
  const ack = (...segments: string[]): string => interchange([{ id: '997', segments }], { functional: 'FA' })

  it('closes one by one what is named, and the rest of the message after it', () => {
    const { facts } = factsOf(
      ack(
        'AK1*OW*27',
        'AK2*940*0003',
        'AK3*W01*5**8',
        'AK4*1*330*6',
        'AK5*R*5',
        'AK2*940*0004',
        'AK5*A',
        'AK9*P*3*3*2',
      ),
    )
    expect(documents(facts, 'answer')).toMatchObject([
      {
        reference: '27/0003',
        verdict: 'rejected',
        extent: 'document',
        faults: [
          { code: '6', place: 'W01 at position 5, element 1', text: 'forbidden character' },
          { code: '5', place: null, text: 'segments at fault' },
        ],
      },
      { reference: '27/0004', verdict: 'accepted' },
      { reference: '27', verdict: 'accepted', extent: 'message' },
    ])
  })

  it('reads a refused group without a word on its sets, and a 999', () => {
    expect(documents(factsOf(ack('AK1*OW*27', 'AK9*R*1*1*0*5')).facts, 'answer')).toMatchObject([
      { reference: '27', verdict: 'rejected', faults: [{ code: '5' }] },
    ])
    const text = interchange(
      [{ id: '999', segments: ['AK1*OW*28*005010', 'AK2*940*0001', 'IK3*N1*7**1', 'IK5*R*5', 'AK9*R*1*1*0'] }],
      { functional: 'FA' },
    )
    expect(documents(factsOf(text).facts, 'answer')[0]).toMatchObject({
      reference: '28/0001',
      verdict: 'rejected',
      faults: [{ code: '1', place: 'N1 at position 7' }, { code: '5' }],
    })
  })

  it('takes a TA1 for what it is', () => {
    const text = interchange([])
      .replace(/GS\*.*?~|GE\*.*?~/g, '')
      .replace('IEA*1', 'IEA*0')
      .replace('IEA', 'TA1*000000031*260301*0900*R*021~IEA')
    expect(factsOf(text).facts).toMatchObject([
      {
        kind: 'answer',
        document: { reference: '31', extent: 'receipt', verdict: 'rejected', faults: [{ code: '021' }] },
      },
    ])
    expect(causes(text)).toEqual(['sound'])
  })
})
