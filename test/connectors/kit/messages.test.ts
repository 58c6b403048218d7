import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MessageQueueSettings } from '../../../src/connectors/_kit/define.ts'
import type { HttpAttempt } from '../../../src/connectors/_kit/http.ts'
import { createMessageQueue, type MessageQueueOptions } from '../../../src/connectors/_kit/messages.ts'
import type { HubError } from '../../../src/core/errors.ts'

type Handler = (action: string, input: Record<string, unknown>, response: ServerResponse, times: number) => void

let server: Server
let url = ''
let handler: Handler
let seen: { action: string; input: Record<string, unknown>; headers: IncomingMessage['headers'] }[]
let attempts: HttpAttempt[]

beforeEach(async () => {
  seen = []
  attempts = []
  handler = (_action, _input, response) => void answer(response, 200, {})
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const action = String(request.headers['x-amz-target']).replace('AmazonSQS.', '')
      const input = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
      seen.push({ action, input, headers: request.headers })
      handler(action, input, response, seen.length)
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const answer = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): unknown =>
  response
    .writeHead(status, { 'content-type': 'application/x-amz-json-1.0', ...headers })
    .end(typeof body === 'string' ? body : JSON.stringify(body))

const QUEUE_URL = 'https://queues.example/123456789012/orders'
const message = (id: string, body = `{"order":"${id}"}`) => ({
  MessageId: id,
  ReceiptHandle: `handle-${id}`,
  Body: body,
  MD5OfBody: createHash('md5').update(body).digest('hex'),
})

function queue(settings: Partial<MessageQueueSettings> = {}, options: Partial<MessageQueueOptions> = {}) {
  return createMessageQueue({
    settings: { region: 'eu-west-1', queue_url: QUEUE_URL, endpoint: url, access_key_id: 'AKIAEXAMPLE', secret_access_key: 'hush-hush', ...settings }, // prettier-ignore
    allow_private: true,
    observe: (attempt) => void attempts.push(attempt),
    ...options,
  })
}
const faultOf = async (work: Promise<unknown>): Promise<Pick<HubError, 'code' | 'message'>> =>
  await work.then(
    () => expect.fail('was expected to throw'),
    (thrown: HubError) => thrown,
  )
const receive = { messages_max: 25, wait_ms: 300 }

describe('a queue', () => {
  it('hands out messages and has them removed, ten at most at once', async () => {
    handler = (action, _input, response) =>
      void answer(response, 200, action === 'ReceiveMessage' ? { Messages: [message('1'), message('2')] } : { Successful: [], Failed: [] }) // prettier-ignore
    const messages = await queue().receive({ messages_max: 25, wait_ms: 4_000 })
    expect(messages).toEqual([
      { id: '1', handle: 'handle-1', body: '{"order":"1"}' },
      { id: '2', handle: 'handle-2', body: '{"order":"2"}' },
    ])
    await queue().remove(Array.from({ length: 12 }, (_, i) => `handle-${i}`))
    expect(seen.map(({ action }) => action)).toEqual(['ReceiveMessage', 'DeleteMessageBatch', 'DeleteMessageBatch'])
    expect(seen[0]).toMatchObject({ input: { QueueUrl: QUEUE_URL, MaxNumberOfMessages: 10, WaitTimeSeconds: 4 } })
    expect(seen[0]!.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE\/\d{8}\/eu-west-1\/sqs\//)
    expect(seen.slice(1).map(({ input }) => (input['Entries'] as unknown[]).length)).toEqual([10, 2])
    expect(attempts.map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual([
      'ReceiveMessage ok',
      'DeleteMessageBatch ok',
      'DeleteMessageBatch ok',
    ])
    expect(JSON.stringify(attempts)).not.toMatch(/hush|AKIA|handle-|order/)
  })

  it('that is empty hands out nothing, and nothing is asked when nothing is to be removed', async () => {
    expect(await queue().receive(receive)).toEqual([])
    await queue().remove([])
    expect(seen).toHaveLength(1)
  })

  it('whose handles have lapsed is no fault, since their messages come again; one that could not remove is', async () => {
    const failed = (SenderFault: boolean) => ({ Failed: [{ Id: '0', SenderFault, Code: 'ReceiptHandleIsInvalid' }] })
    handler = (_action, _input, response, times) => void answer(response, 200, failed(times === 1))
    await queue().remove(['a'])
    expect(await faultOf(queue().remove(['a']))).toMatchObject({ code: 'vendor_unavailable' })
  })

  it('asks again by the clock of the vendor when ours is off', async () => {
    handler = (_action, _input, response, times) =>
      void (times === 1
        ? answer(response, 403, { __type: 'com.amazon.coral.service#SignatureDoesNotMatch', message: 'Signature expired' }, { date: new Date(Date.now() + 3_600_000).toUTCString() }) // prettier-ignore
        : answer(response, 200, { Messages: [message('1')] }))
    expect(await queue().receive(receive)).toHaveLength(1)
    const days = seen.map(({ headers }) => String(headers['x-amz-date']))
    expect(days[1]).not.toBe(days[0])
  })

  it.each([
    [400, 'com.amazonaws.sqs#QueueDoesNotExist', 'vendor_not_found'],
    [403, 'com.amazon.coral.service#AccessDeniedException', 'vendor_auth'],
    [403, 'com.amazon.coral.service#InvalidClientTokenId', 'vendor_auth'],
    [400, 'com.amazon.coral.service#UnrecognizedClientException', 'vendor_auth'],
    [403, 'com.amazon.coral.service#ExpiredTokenException', 'vendor_auth'],
    [400, 'com.amazonaws.sqs#RequestThrottled', 'vendor_throttled'],
    [429, 'com.amazon.coral.service#Unknown', 'vendor_throttled'],
    [400, 'com.amazonaws.sqs#InvalidMessageContents', 'vendor_rejected'],
    [500, 'com.amazon.coral.service#InternalFailure', 'vendor_unavailable'],
    [503, 'com.amazon.coral.service#ServiceUnavailable', 'vendor_unavailable'],
  ])('that answers %i %s is %s', async (status, type, code) => {
    handler = (_action, _input, response) => void answer(response, status, { __type: type, message: 'arn:aws:hush' })
    const fault = await faultOf(queue().receive(receive))
    expect(fault.code).toBe(code)
    expect(fault.message).not.toContain('hush')
    expect(attempts).toMatchObject([{ outcome: code, status }])
  })

  const PAGE = { 'content-type': 'text/html' }
  it.each<[string, string, (response: ServerResponse) => unknown]>([
    ['a page', 'vendor_response_invalid', (response) => answer(response, 200, '<html>down</html>', PAGE)],
    ['a page of a proxy', 'vendor_unavailable', (response) => answer(response, 502, '<html>down</html>', PAGE)],
    [
      'another body than was hashed',
      'vendor_response_invalid',
      (response) => answer(response, 200, { Messages: [{ ...message('1'), Body: 'other' }] }),
    ],
    [
      'a message without a body',
      'vendor_response_invalid',
      (response) => answer(response, 200, { Messages: [{ MessageId: '1' }] }),
    ],
    ['a cut', 'vendor_timeout', (response) => response.destroy()],
  ])('that answers with %s is %s', async (_what, code, respond) => {
    handler = (_action, _input, response) => void respond(response)
    expect((await faultOf(queue().receive(receive))).code).toBe(code)
  })

  it('that nobody serves is vendor_unreachable', async () => {
    const dead = url
    await new Promise((resolve) => server.close(resolve))
    expect((await faultOf(queue({ endpoint: dead }).receive(receive))).code).toBe('vendor_unreachable')
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  })
})

describe('the address of a queue', () => {
  it('is guarded as those of calls are', async () => {
    const outside = { allow_private: false }
    expect((await faultOf(queue({}, outside).receive(receive))).code).toBe('address_refused')
    const inside = { ...outside, resolve: () => Promise.resolve([{ address: '10.1.2.3', family: 4 }]) }
    expect((await faultOf(queue({ endpoint: 'https://queues.example' }, inside).receive(receive))).code).toBe('address_refused') // prettier-ignore
    expect((await faultOf(queue({ endpoint: 'https://169.254.169.254' }, outside).receive(receive))).code).toBe('address_refused') // prettier-ignore
    expect((await faultOf(queue({ endpoint: 'file:///etc' }, outside).receive(receive))).code).toBe('address_refused')
    expect(seen).toEqual([])
  })

  it('is the host of the queue where no endpoint is set', async () => {
    const { endpoint: _none, ...rest } = { region: 'eu-west-1', queue_url: `${url}/1/orders`, endpoint: '', access_key_id: 'a', secret_access_key: 'b' } // prettier-ignore
    const direct = createMessageQueue({ settings: rest, allow_private: true, observe: () => undefined })
    expect(await direct.receive(receive)).toEqual([])
    expect(seen[0]).toMatchObject({ input: { QueueUrl: `${url}/1/orders` } })
  })
})
