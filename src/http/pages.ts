import { PAGE_LIMIT_MAX } from '../db/page.ts'
import { listConnections, type ConnectionRow } from '../db/readConnections.ts'
import { readOverview, type Overview } from '../db/readOverview.ts'
import type { Hub } from '../hub.ts'
import { actorOf, type Actor, type App } from './app.ts'
import { html, type Html } from './html.ts'
import { STYLE } from './style.ts'

const STYLE_URL = '/assets/crossdock.css'

export function registerPages(app: App, hub: Hub): void {
  app.get(STYLE_URL, { schema: { hide: true }, config: { quiet: true } }, async (_request, reply) =>
    reply.type('text/css; charset=utf-8').header('cache-control', 'public, max-age=300').send(STYLE),
  )
  app.get('/', { schema: { hide: true } }, async (request, reply) => {
    const now = hub.clock.now()
    const [overview, connections] = await Promise.all([
      readOverview(hub.db, now),
      listConnections(hub.db, { limit: PAGE_LIMIT_MAX }, now),
    ])
    const page = startPage({
      actor: actorOf(request),
      environment: hub.config.hub.environment,
      overview,
      connections: connections.rows,
    })
    return reply.type('text/html; charset=utf-8').header('cache-control', 'no-store').send(page)
  })
}

function document(title: string, body: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${STYLE_URL}" />
      </head>
      <body>
        ${body}
      </body>
    </html> `.html
}

/** Works without any script, and says nothing of who exists. */
export function loginPage({ next, message }: { next: string; message?: string | undefined }): string {
  return document(
    'Log in · Crossdock',
    html`<main class="login">
      <form method="post" action="/login">
        <h1>Crossdock</h1>
        <p>Log in to see orders, stock and queues.</p>
        ${message === undefined ? null : html`<p class="message" role="alert">${message}</p>`}
        <input type="hidden" name="next" value="${next}" />
        <label
          >Name<input name="name" autocomplete="username" autocapitalize="none" required maxlength="100" autofocus
        /></label>
        <label
          >Password<input name="password" type="password" autocomplete="current-password" required maxlength="1000"
        /></label>
        <button type="submit">Log in</button>
      </form>
    </main>`,
  )
}

interface StartPage {
  actor: Actor
  environment: string
  overview: Overview
  connections: readonly ConnectionRow[]
}

/** Label, number, and from when on it wants attention. */
const TILES: readonly { key: keyof Overview; label: string; tone?: 'warn' | 'bad' }[] = [
  { key: 'orders_last_day', label: 'orders in 24 hours' },
  { key: 'orders_short', label: 'orders short of stock', tone: 'warn' },
  { key: 'inbox_pending', label: 'messages waiting' },
  { key: 'inbox_parked', label: 'messages parked', tone: 'warn' },
  { key: 'availability_due', label: 'numbers to tell channels' },
  { key: 'outbox_waiting', label: 'effects on their way' },
  { key: 'dead_letters_open', label: 'dead letters', tone: 'bad' },
]

function startPage({ actor, environment, overview, connections }: StartPage): string {
  const tiles = TILES.map(({ key, label, tone }) => {
    const tones = tone !== undefined && overview[key] > 0 ? `tile ${tone}` : 'tile'
    return html`<div class="${tones}"><b>${overview[key]}</b><span>${label}</span></div> `
  })
  return document(
    'Crossdock',
    html`<header>
        <h1>Crossdock</h1>
        <span class="badge ${environment}">${environment}</span>
        <form class="who" method="post" action="/logout">
          <span>${actor.name.replace('user:', '')} · ${actor.role}</span><button type="submit">Log out</button>
        </form>
      </header>
      <main>
        <nav aria-label="Pages"><a href="/queues">Queues</a><a href="/docs">API</a><a href="/readyz">Health</a></nav>
        <section class="tiles" aria-label="Numbers">${tiles}</section>
        <h2>Connections</h2>
        <div class="scroll">
          ${connections.length === 0 ? html`<p class="empty">No connection yet: add one to the configuration and start again.</p>` : connectionTable(connections)}
        </div>
      </main>`,
  )
}

function connectionTable(connections: readonly ConnectionRow[]): Html {
  const rows = connections.map(
    (row) =>
      html`<tr>
        <td>${row.id}<br /><span class="soft">${row.connector}</span></td>
        <td>
          <span class="state ${row.state}">${row.state}</span
          >${row.state_reason === null ? null : html`<span class="reason">${row.state_reason.slice(0, 80)}</span>`}
        </td>
        <td class="number">${row.lag.inbox_pending}</td>
        <td class="number">${row.lag.inbox_parked}</td>
        <td class="number">${row.lag.availability_due}</td>
        <td class="number">${row.lag.dead_letters_open}</td>
        <td>${momentOf(row.last_received_at)}</td>
        <td>${momentOf(row.last_pushed_at)}</td>
      </tr> `,
  )
  return html`<table>
    <thead>
      <tr>
        <th>Connection</th>
        <th>State</th>
        <th class="number">Waiting</th>
        <th class="number">Parked</th>
        <th class="number">To push</th>
        <th class="number">Dead</th>
        <th>Last received</th>
        <th>Last pushed</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`
}

/** `2026-11-21 20:06:12 UTC`: the same for every reader, because operators in two places talk about it. */
function momentOf(instant: string | null): string {
  return instant === null ? '–' : `${instant.slice(0, 19).replace('T', ' ')} UTC`
}
