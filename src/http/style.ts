/** The look of our own pages: one small sheet, dark or light as the reader's system is, nothing fetched from elsewhere. */
export const STYLE = `:root {
  color-scheme: light dark;
  --back: light-dark(#f5f6f8, #12161c); --card: light-dark(#ffffff, #1b212a); --line: light-dark(#dde1e7, #2c3440);
  --text: light-dark(#1b2430, #e6e9ee); --soft: light-dark(#5b6675, #98a3b3); --mark: light-dark(#0f766e, #2dd4bf);
  --on-mark: light-dark(#ffffff, #0b1216); --good: light-dark(#15803d, #4ade80); --warn: light-dark(#b45309, #fbbf24); --bad: light-dark(#b91c1c, #f87171);
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
a { color: var(--mark); text-decoration: none; }
a:hover { text-decoration: underline; }
a:focus-visible, button:focus-visible, input:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
h1, h2 { line-height: 1.25; margin: 0; }
h1 { font-size: 1.25rem; }
h2 { font-size: 1rem; margin: 2rem 0 .75rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; padding: .75rem 1.25rem; background: var(--card); border-bottom: 1px solid var(--line); }
header .who { margin-left: auto; display: flex; align-items: center; gap: .75rem; color: var(--soft); }
.badge { font-size: .75rem; padding: .1rem .5rem; border-radius: 1rem; border: 1px solid currentColor; color: var(--mark); }
.badge.production { color: var(--bad); }
main { max-width: 72rem; margin: 0 auto; padding: 1.25rem; }
nav { display: flex; flex-wrap: wrap; gap: .5rem; }
nav a { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .4rem .9rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin-top: 1.25rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.3; }
.tile span { color: var(--soft); font-size: .85rem; }
.tile.bad b { color: var(--bad); }
.tile.warn b { color: var(--warn); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .55rem 1rem; white-space: nowrap; }
th { color: var(--soft); font-weight: 500; font-size: .85rem; }
td.number, th.number { text-align: right; }
tr + tr td, thead + tbody td { border-top: 1px solid var(--line); }
.state::before { content: ""; display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin-right: .5em; background: var(--soft); }
.state.active::before { background: var(--good); }
.state.paused::before { background: var(--warn); }
.state.failing::before { background: var(--bad); }
.soft { color: var(--soft); }
.reason { display: block; min-width: 14rem; white-space: normal; color: var(--soft); }
.empty { padding: 1rem; margin: 0; color: var(--soft); }
button { font: inherit; cursor: pointer; border: 1px solid var(--line); border-radius: .5rem; background: transparent; color: inherit; padding: .3rem .8rem; }
.login { min-height: 100vh; display: grid; place-items: center; padding: 1.25rem; }
.login form { width: 100%; max-width: 22rem; background: var(--card); border: 1px solid var(--line); border-radius: .8rem; padding: 1.75rem; }
.login p { margin: .25rem 0 1.25rem; color: var(--soft); }
.login label { display: block; margin-bottom: 1rem; font-size: .9rem; }
.login input { display: block; width: 100%; margin-top: .3rem; font: inherit; padding: .55rem .7rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--back); color: inherit; }
.login button { width: 100%; padding: .6rem; background: var(--mark); color: var(--on-mark); border-color: transparent; font-weight: 600; }
.login p.message { margin: 0 0 1rem; color: var(--bad); }
`
