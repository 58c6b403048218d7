import { describe, expect, it } from 'vitest'
import { faultOfAnswer, faultOfSilence } from '../../../src/connectors/_kit/answers.ts'
import type { HttpAnswer, HttpCall } from '../../../src/connectors/_kit/define.ts'

const NOW = new Date('2026-11-21T12:00:00Z')
const READ: HttpCall = { operation: 'readOrders', method: 'GET', path: '/orders', repeat: 'safe' }
const WRITE: HttpCall = { operation: 'setStock', method: 'POST', path: '/stock', repeat: 'once' }

function answerOf(status: number, text = '{}', headers: Record<string, string> = {}): HttpAnswer {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    body = undefined
  }
  return { status, headers, body, text }
}
const codeOf = (call: HttpCall, answer: HttpAnswer): string => faultOfAnswer(call, answer, NOW)?.code ?? 'ok'

describe('what a status means', () => {
  it.each([
    // status, what may be repeated, what may not, and what the job does with either
    [400, 'vendor_rejected', 'vendor_rejected', 'park park'],
    [401, 'vendor_auth', 'vendor_auth', 'pause pause'],
    [402, 'vendor_rejected', 'vendor_rejected', 'park park'],
    [403, 'vendor_auth', 'vendor_auth', 'pause pause'],
    [404, 'vendor_not_found', 'vendor_not_found', 'park park'],
    [408, 'vendor_throttled', 'vendor_throttled', 'retry retry'],
    [409, 'vendor_conflict', 'vendor_conflict', 'park park'],
    [410, 'vendor_not_found', 'vendor_not_found', 'park park'],
    [412, 'vendor_conflict', 'vendor_conflict', 'park park'],
    [413, 'vendor_rejected', 'vendor_rejected', 'park park'],
    [422, 'vendor_rejected', 'vendor_rejected', 'park park'],
    [425, 'vendor_throttled', 'vendor_throttled', 'retry retry'],
    [429, 'vendor_throttled', 'vendor_throttled', 'retry retry'],
    [500, 'vendor_unavailable', 'outcome_unknown', 'retry retry'],
    [501, 'vendor_unavailable', 'vendor_unavailable', 'retry retry'],
    [502, 'vendor_unavailable', 'outcome_unknown', 'retry retry'],
    [503, 'vendor_unavailable', 'outcome_unknown', 'retry retry'],
    [504, 'vendor_unavailable', 'outcome_unknown', 'retry retry'],
    [520, 'vendor_unavailable', 'outcome_unknown', 'retry retry'],
    [521, 'vendor_unavailable', 'vendor_unavailable', 'retry retry'],
    [524, 'vendor_unavailable', 'outcome_unknown', 'retry retry'],
    [599, 'vendor_unavailable', 'outcome_unknown', 'retry retry'],
    [301, 'vendor_rejected', 'vendor_rejected', 'park park'],
    [307, 'vendor_rejected', 'vendor_rejected', 'park park'],
  ])('%i: %s, and for a write that is done once %s', (status, safe, once, next) => {
    const faults = [READ, WRITE].map((call) => faultOfAnswer(call, answerOf(status), NOW))
    expect(faults.map((fault) => fault?.code)).toEqual([safe, once])
    expect(faults.map((fault) => fault?.next).join(' ')).toBe(next)
    expect(faults.every((fault) => fault?.status === status)).toBe(true)
  })

  it.each([200, 201, 202, 204, 207])('%i is a success', (status) => {
    expect([codeOf(READ, answerOf(status)), codeOf(WRITE, answerOf(status, ''))]).toEqual(['ok', 'ok'])
  })

  it('503 with a time to come back was refused before it began', () => {
    const answer = answerOf(503, '', { 'retry-after': '30' })
    expect(faultOfAnswer(WRITE, answer, NOW)).toMatchObject({ code: 'vendor_unavailable', retry_after_ms: 30_000 })
    expect(codeOf(WRITE, answerOf(503, '', { 'retry-after': 'soon' }))).toBe('outcome_unknown')
    expect(codeOf(WRITE, answerOf(500, '', { 'retry-after': '30' }))).toBe('outcome_unknown')
  })

  it('a redirect is not followed, whatever it is', () => {
    expect(faultOfAnswer(READ, answerOf(302, ''), NOW)).toMatchObject({ code: 'vendor_rejected', message: 'readOrders was redirected (302)' }) // prettier-ignore
  })
})

describe('what a body means', () => {
  const page = '\n<!-- cached --><!DOCTYPE html><html><body>Log in</body></html>'
  const csv: HttpCall = { ...READ, headers: { Accept: 'text/csv' } }
  it.each<[string, HttpCall, string, string]>([
    ['a page where JSON is expected', READ, page, 'vendor_response_invalid'],
    ['a page after a write that is done once', WRITE, page, 'outcome_unknown'],
    ['a page where a table is expected', csv, page, 'vendor_response_invalid'],
    ['a page where a page is expected', { ...READ, headers: { accept: 'text/html' } }, page, 'ok'],
    ['a table where a table is expected', csv, 'sku,quantity\n<html>,1\n', 'ok'],
    ['a table where JSON is expected', READ, 'sku,quantity\n', 'vendor_response_invalid'],
    ['JSON that breaks off', READ, '{"orders":[{"id":1}', 'vendor_response_invalid'],
    ['XML where JSON is expected', READ, '<?xml version="1.0"?><fault/>', 'vendor_response_invalid'],
    ['JSON where a table is expected', csv, '{"error":1}', 'ok'],
    ['nothing', READ, '', 'ok'],
    ['blanks', WRITE, ' \r\n', 'ok'],
    ['null', READ, 'null', 'ok'],
    ['a bare word', READ, '"ok"', 'ok'],
  ])('%s', (_name, call, text, code) => {
    expect(codeOf(call, answerOf(200, text))).toBe(code)
  })

  it('is never quoted, but for a short word', () => {
    const fault = faultOfAnswer(WRITE, answerOf(422, '{"code":"bad_zip","message":"Ada Lovelace, 12 Main St"}'), NOW)
    expect(fault?.message).toBe('setStock answered 422 (bad_zip)')
    expect(faultOfAnswer(READ, answerOf(200, `${page}Ada Lovelace`), NOW)?.message).toBe('readOrders answered 200 with a page') // prettier-ignore
  })
})

describe('what silence means', () => {
  const sent = { code: 'ECONNRESET', sent: true, timed_out: false }
  it.each([
    ['a cut after it was sent', sent, 'vendor_timeout', 'outcome_unknown'],
    ['no answer in time', { code: '', sent: true, timed_out: true }, 'vendor_timeout', 'outcome_unknown'],
    ['no connection in time', { code: '', sent: false, timed_out: true }, 'vendor_timeout', 'vendor_timeout'],
    ['nobody there', { code: 'ECONNREFUSED', sent: false, timed_out: false }, 'vendor_unreachable', 'vendor_unreachable'],
    ['a certificate that is not theirs', { code: 'CERT_HAS_EXPIRED', sent: true, timed_out: false }, 'vendor_unreachable', 'vendor_unreachable'],
  ])('%s', (_name, reason, safe, once) => {
    expect([faultOfSilence(READ, reason).code, faultOfSilence(WRITE, reason).code]).toEqual([safe, once])
  }) // prettier-ignore
})
