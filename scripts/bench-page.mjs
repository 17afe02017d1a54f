// Draws bench/results.json: bench/RESULTS.md, docs/benchmarks.md and its pictures in docs/img/, SVG written by hand, so that nothing is needed for it,
// and the figures that other pages quote. `npm run bench -- --write` does it with its new figures; `node scripts/bench-page.mjs` with those that are
// there; `--check` only says whether the pages are of them.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { markdown } from '../bench/report.mjs'
import { UNKNOWN } from '../bench/shortfalls.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

const WIDTH = 960
/** Where bars begin; names stand before it. */
const LEFT = 480
const RIGHT = WIDTH - 130
const ROW = 22
const OURS = '#2f6f9f'
const THEIRS = '#b8b8b8'
const SHORT = '#c8641b'

const escaped = text => text.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`)
/** Three digits, so that a picture does not claim more than a median has. */
const short = x => (Math.abs(x) >= 100 ? x.toFixed(0) : String(Number(x.toPrecision(3))))

function text(x, y, what, more = '') {
  return `<text x="${x}" y="${y}" ${more}>${escaped(what)}</text>`
}

function bar(x, y, width, fill) {
  return `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(width, 1).toFixed(1)}" height="14" fill="${fill}"/>`
}

function picture(title, height, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12" role="img">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
${parts.join('\n')}
</svg>
`
}

/** How many times better than its target a row is; below 1 it falls short. Undefined where there is no target, or a target of none. */
function margin({ value, least, most }) {
  const times = least === undefined ? most / value : value / least
  return Number.isFinite(times) && times > 0 ? times : undefined
}

/** The picture of the targets, on a logarithmic scale around "exactly met". */
function targets(rows) {
  const shown = rows.filter(row => margin(row) !== undefined)
  const [low, high] = [0.25, 8]
  const place = times => {
    const inside = Math.min(high, Math.max(low, times))
    return LEFT + ((RIGHT - LEFT) * Math.log(inside / low)) / Math.log(high / low)
  }
  const bottom = 34 + shown.length * ROW
  const parts = [0.25, 0.5, 1, 2, 4, 8].flatMap(times => [
    `<path d="M${place(times).toFixed(1)} 24V${bottom}" stroke="${times === 1 ? '#333' : '#ddd'}"/>`,
    text(
      place(times).toFixed(1),
      16,
      times === 1 ? 'target' : `${times} ×`,
      'text-anchor="middle" fill="#555"',
    ),
  ])
  shown.forEach((row, i) => {
    const y = 30 + i * ROW
    const times = margin(row)
    const [from, to] = [place(1), place(times)].sort((a, b) => a - b)
    parts.push(
      text(LEFT - 8, y + 11, row.name, 'text-anchor="end"'),
      bar(from, y, to - from, times >= 1 ? OURS : SHORT),
      text(
        WIDTH - 8,
        y + 11,
        `${short(row.value)} ${row.unit}${times >= 1 ? '' : ', short'}`,
        'text-anchor="end"',
      ),
    )
  })
  return picture('Measured against the targets', bottom + 10, parts)
}

const QUANTITY = /^(?:(.+?):?,? )?([\d.]+) (M\/s|GB\/s|µs|ms|s|MiB|bytes)(?=$|[,; ])/

/** What `beside` says in the unit of the row: our figure, if it has no name, and those of others. What measures less work is left out. */
function others({ value, unit, beside = '' }) {
  const found = beside
    .split('; ')
    .filter(part => !part.includes('a tenth of'))
    .map(part => QUANTITY.exec(part))
    .filter(match => match !== null)
    .map(([, name, amount, its]) => ({ name, amount: Number(amount), unit: its }))
  const ours = found[0]?.name === undefined ? found[0] : { amount: value, unit }
  const peers = found.filter(({ name, unit: its }) => name !== undefined && its === ours?.unit)
  return peers.length === 0 ? undefined : { ours, peers }
}

/** The picture of the peers: each row has a scale of its own, so only bars of one row compare. */
function peers(rows) {
  const parts = []
  let y = 12
  for (const row of rows) {
    const found = others(row)
    if (found === undefined) continue
    const { unit } = found.ours
    const most = Math.max(found.ours.amount, ...found.peers.map(peer => peer.amount))
    const isRate = unit.endsWith('/s')
    parts.push(text(8, y + 12, `${row.name} (${isRate ? 'more' : 'less'} is better)`, 'font-weight="600"'))
    y += ROW
    for (const { name, amount } of [{ ...found.ours, name: 'rfmalloc' }, ...found.peers]) {
      parts.push(
        text(LEFT - 8, y + 11, name, 'text-anchor="end"'),
        bar(LEFT, y, ((RIGHT - LEFT) * amount) / most, name === 'rfmalloc' ? OURS : THEIRS),
        text(WIDTH - 8, y + 11, `${short(amount)} ${unit}`, 'text-anchor="end"'),
      )
      y += ROW - 4
    }
    y += 10
  }
  return picture('Beside other libraries', y, parts)
}

/** What docs/durability.md quotes: rows of the results, by name, and how the page calls them. */
const DURABILITY = [
  ['create small named vectors from JavaScript', 'named vectors made from JavaScript, level process'],
  [
    'native: ranged sync of one vector',
    '`vector.sync` of one vector (native), beside 512 MiB of unrelated dirty pages',
  ],
  ['native: sync calls during growth by 1 GiB', 'sync calls during growth by 1 GiB'],
  [
    'open with 10^6 names and first get, after kill -9',
    'open with 10^6 names and first `get` after `kill -9`',
  ],
]

/** As a sentence has them. */
const UNITS = { 'M/s': 'million a second', calls: '' }

/** The text of a page with what stands between its two marks made anew. */
function marked(path, made) {
  const parts = readFileSync(join(root, path), 'utf8').split(/(<!-- \/?measured -->\n)/)
  if (parts.length !== 5)
    throw new Error(`${path} has not the marks <!-- measured --> and <!-- /measured --> once`)
  parts[2] = `\n${made}\n`
  return parts.join('')
}

function quoted(rows, list) {
  const lines = list.map(([name, label]) => {
    const row = rows.find(r => r.name === name)
    if (row === undefined) throw new Error(`no row '${name}' in bench/results.json`)
    return `| ${label} | ${`${short(row.value)} ${UNITS[row.unit] ?? row.unit}`.trim()} |`
  })
  return `| | |\n| --- | --- |\n${lines.join('\n')}\n`
}

/** Every file that shows the results, by its path. */
export function benchPage(results) {
  const { machine, runs, rows } = results
  const deaths = JSON.parse(readFileSync(join(root, 'bench/deaths.json'), 'utf8'))
  const facts = `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node.replace(/^v/, '')}, ${machine.date}`
  const withTarget = rows.filter(row => row.least !== undefined || row.most !== undefined)
  const met = withTarget.filter(
    ({ value, least, most }) => value >= (least ?? -Infinity) && value <= (most ?? Infinity),
  )
  return {
    'bench/RESULTS.md': markdown(results, deaths),
    'docs/img/targets.svg': targets(rows),
    'docs/img/peers.svg': peers(rows),
    'docs/durability.md': marked(
      'docs/durability.md',
      `From the run of ${machine.date} in [bench/RESULTS.md](../bench/RESULTS.md), which says on what machine; medians of ${runs} runs:\n\n${quoted(rows, DURABILITY)}`,
    ),
    'docs/benchmarks.md': `# Benchmarks

Drawn by \`node scripts/bench-page.mjs\` from \`bench/results.json\`; every figure, with what stood beside it and how much
memory it took, is in [bench/RESULTS.md](../bench/RESULTS.md). Medians of ${runs} runs. ${facts}. Repeat it with
\`npm run bench\`; figures of two machines, or of two runs on a busy one, do not compare.

## Against the targets

Each measure has its bar from "exactly met": to the right is better, by that factor. ${met.length} of ${withTarget.length} targets are met; those of
none ("no sync calls") have no bar.

![Bars of each measure relative to its target, on a logarithmic scale](img/targets.svg)

## Beside others

The same work in the same run. Each measure has a scale of its own: only bars under one heading compare.

![Bars of rfmalloc and of other libraries, measure by measure](img/peers.svg)

A database does another job: lmdb keeps keys and values, sorted, with transactions. What each program does exactly is in
\`bench/\`, one file for each group.
`,
  }
}

/** Writes the page. */
export function writeBenchPage(results) {
  for (const [path, content] of Object.entries(benchPage(results))) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = JSON.parse(readFileSync(join(root, 'bench/results.json'), 'utf8'))
  if (process.argv.includes('--check')) {
    const pages = Object.entries(benchPage(results))
    const old = pages.filter(
      ([path, content]) =>
        !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== content,
    )
    for (const [path] of old)
      console.log(`${path} is not of bench/results.json: run node scripts/bench-page.mjs`)
    const silent = pages.some(([, content]) => content.includes(UNKNOWN))
    if (silent) console.log('a figure is below its target and bench/shortfalls.mjs does not say why')
    process.exitCode = old.length === 0 && !silent ? 0 : 1
  } else writeBenchPage(results)
}
