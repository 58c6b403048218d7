import { existsSync } from 'node:fs'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer } from '../../src/http/server.ts'
import { openHttpHub, PASSWORD, type HttpHub } from '../kit/httpHub.ts'

const EXECUTABLE = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
)
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-sync',
]
const PHONE = { width: 390, height: 800 }

let kit: HttpHub
let server: { url: string; close: () => Promise<void> }
let browser: Browser

async function logIn(page: Page, name: string): Promise<void> {
  await page.goto(`${server.url}/`)
  await page.fill('input[name=name]', name)
  await page.fill('input[name=password]', PASSWORD)
  await page.click('button[type=submit]')
  await page.waitForURL(`${server.url}/`)
}

describe.skipIf(EXECUTABLE === undefined)('the pages in a real browser', () => {
  beforeAll(async () => {
    kit = await openHttpHub({ queues: 'real' })
    const boards = (kit.hub.queues as unknown as { bullQueues: ReadonlyMap<string, unknown> }).bullQueues
    server = await startServer(kit.hub, { intake: kit.intake, boards, role: 'all' })
    browser = await chromium.launch({ ...(EXECUTABLE === undefined ? {} : { executablePath: EXECUTABLE }), args: ARGS })
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
    await kit?.close()
  })

  test('a stranger is led to the log-in, and a wrong password does not let in', async () => {
    const page = await browser.newPage()
    await page.goto(`${server.url}/queues`)
    expect(new URL(page.url()).pathname).toBe('/login')
    await page.fill('input[name=name]', 'admin')
    await page.fill('input[name=password]', 'wrong horse')
    await page.click('button[type=submit]')
    await page.waitForLoadState()
    expect(new URL(page.url()).pathname).toBe('/login')
    await page.close()
  })

  test('an operator sees connections and, on the board, a job with what it was about', async () => {
    await kit.hub.queues.add('notify', 'greeting', { connection_id: 'corner-eu' })
    const page = await browser.newPage()
    await logIn(page, 'operator')
    expect(await page.textContent('body')).toContain('corner-eu')
    await page.goto(`${server.url}/queues/queue/notify?status=waiting`)
    await page.getByText('greeting').first().waitFor({ timeout: 15_000 })
    expect(await page.textContent('body')).toContain('intake')
    await page.close()
  })

  test('on a phone no page is wider than the screen', async () => {
    const page = await browser.newPage({ viewport: PHONE })
    for (const path of ['/login', '/']) {
      if (path === '/') await logIn(page, 'viewer')
      else await page.goto(`${server.url}${path}`)
      expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(PHONE.width)
    }
    await page.close()
  })
})
