import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Connector, Port } from '../../../src/connectors/_kit/define.ts'
import type { HttpAttempt } from '../../../src/connectors/_kit/http.ts'
import { HubError, type ErrorCode } from '../../../src/core/errors.ts'
import { vendorPort } from '../vendorPort.ts'
import type { ConnectorContract } from './contract.ts'
import { openOddVendor, type OddMood, type OddVendor } from './oddVendor.ts'
import { secretsIn } from './settings.ts'

/** What a status means, unless the connector's contract says otherwise. */
const MEANINGS: Readonly<Record<number, readonly ErrorCode[]>> = {
  401: ['vendor_auth'],
  403: ['vendor_auth'],
  404: ['vendor_not_found'],
  408: ['vendor_throttled'],
  409: ['vendor_conflict'],
  422: ['vendor_rejected'],
  429: ['vendor_throttled'],
  500: ['vendor_unavailable'],
  503: ['vendor_unavailable'],
}
const SILENCE: readonly { name: string; mood: OddMood; codes: readonly ErrorCode[] }[] = [
  { name: 'a page in HTML with status 200', mood: { kind: 'html' }, codes: ['vendor_response_invalid'] },
  { name: 'a connection cut in the middle', mood: { kind: 'cut' }, codes: ['vendor_timeout', 'vendor_unreachable'] },
  { name: 'no answer at all', mood: { kind: 'silent' }, codes: ['vendor_timeout'] },
  { name: 'a redirect', mood: { kind: 'status', status: 302, headers: { location: 'http://169.254.169.254/' } }, codes: ['vendor_rejected'] }, // prettier-ignore
]
const TIMEOUT_MS = 300

/** Odd answers end in the right code, nothing that is logged or thrown names a secret or a person, and pages end. */
export function answerContract(contract: ConnectorContract): void {
  const { connector } = contract
  const read = contract.read ?? connector.test
  if (connector.http === undefined || read === undefined) return
  let vendor: OddVendor
  beforeAll(async () => {
    vendor = await openOddVendor(contract)
  })
  afterAll(() => vendor.close())
  const secrets = secretsIn(contract)

  const ask = async (mood: OddMood): Promise<{ fault: unknown; attempts: HttpAttempt[] }> => {
    vendor.mood = mood
    const { port, attempts } = hurried(connector, contract.settings(vendor.url))
    const fault = await Promise.resolve(read(port)).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    return { fault, attempts }
  }

  const shows = (fault: unknown, attempts: readonly HttpAttempt[]): string[] => {
    const error = fault as HubError
    const text = `${error.message} ${error.hint ?? ''} ${error.path ?? ''} ${JSON.stringify(attempts)}`
    return [...secrets, ...(contract.personal ?? [])].filter((word) => text.includes(word))
  }

  for (const [status, codes] of Object.entries({ ...MEANINGS, ...contract.codes })) {
    it(`answers: ${status} is ${codes?.join(' or ')}, and what it quotes is not kept`, async () => {
      const headers = Number(status) === 429 ? { 'retry-after': '7' } : {}
      const { fault, attempts } = await ask({ kind: 'status', status: Number(status), headers })
      expect(fault).toBeInstanceOf(HubError)
      expect(codes).toContain((fault as HubError).code)
      if (Number(status) === 429) expect((fault as HubError).retry_after_ms).toBe(7_000)
      expect(shows(fault, attempts)).toEqual([])
    })
  }

  for (const { name, mood, codes } of SILENCE) {
    it(`answers: ${name} is ${codes.join(' or ')}`, async () => {
      const { fault, attempts } = await ask(mood)
      expect(fault).toBeInstanceOf(HubError)
      expect(codes).toContain((fault as HubError).code)
      expect(shows(fault, attempts)).toEqual([])
    })
  }

  const { endless } = contract
  if (endless === undefined) return
  it('answers: pages that never end are given up', async () => {
    vendor.mood = { kind: 'endless', answer: endless.answer }
    const pull = connector.pull?.[endless.stream]
    if (pull === undefined) throw new Error(`${connector.id} pulls no ${endless.stream}`)
    const { port } = hurried(connector, contract.settings(vendor.url))
    const walk = async (): Promise<void> => {
      for await (const page of pull(port, { cursor: null, overlap_ms: 0, now: new Date('2026-11-20T12:00:00Z') }))
        void page
    }
    await expect(walk()).rejects.toMatchObject({ code: 'vendor_response_invalid' })
  })
}

/** The port of production, with less patience. */
function hurried(
  connector: Connector,
  settings: Readonly<Record<string, unknown>>,
): { port: Port; attempts: HttpAttempt[] } {
  const { http } = connector
  if (http === undefined) throw new Error(`${connector.id} speaks no HTTP`)
  return vendorPort({ ...connector, http: { ...http, timeout_ms: TIMEOUT_MS } }, settings)
}
