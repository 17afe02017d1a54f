// `npm run bench`: measures, prints a table, and writes the same as JSON to target/bench.json. `npm run bench -- --write` keeps
// both, bench/RESULTS.md and bench/results.json, and draws docs/benchmarks.md. `npm run bench -- view-loop open` measures only
// those; with --write the rows of the others stay.
// RFMALLOC_BENCH_DIR says where the stores go (default: the temporary folder); RFMALLOC_BENCH_RUNS how many runs a median is of (default 5).
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeBenchPage } from '../scripts/bench-page.mjs'
import { compact } from './compact.mjs'
import { create } from './create.mjs'
import { csv } from './csv.mjs'
import { frames } from './frames.mjs'
import { ls } from './ls.mjs'
import { machine } from './machine.mjs'
import { matrices } from './matrices.mjs'
import { native } from './native.mjs'
import { open } from './open.mjs'
import { operations } from './operations.mjs'
import { ordering } from './ordering.mjs'
import { table } from './report.mjs'
import { strings } from './strings.mjs'
import { summaries } from './summaries.mjs'
import { subscripts } from './subscripts.mjs'
import { viewLoop } from './view-loop.mjs'

const benches = {
  'view-loop': viewLoop,
  create,
  open,
  native,
  compact,
  strings,
  subscripts,
  frames,
  operations,
  summaries,
  ordering,
  matrices,
  csv,
  ls,
}

const words = process.argv.slice(2)
const write = words.includes('--write')
const chosen = words.filter(word => word !== '--write')
const unknown = chosen.filter(name => !(name in benches))
if (unknown.length > 0) {
  console.error(`no bench ${unknown.join(', ')}; there are: ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}

/** What is kept of the benches that were not measured now, each row with the commit that it is of. */
function addOthers(results) {
  const kept = JSON.parse(readFileSync(new URL('results.json', import.meta.url), 'utf8')).rows
  const all = [...kept.filter(({ bench }) => !chosen.includes(bench)), ...results.rows]
  results.rows = Object.keys(benches).flatMap(name => all.filter(({ bench }) => bench === name))
  const of = commit => [...new Set(results.rows.filter(row => row.commit === commit).map(row => row.bench))]
  const commits = [...new Set(results.rows.map(({ commit }) => commit))]
  results.machine.commit = commits.map(commit => `${commit} (${of(commit).join(', ')})`).join('; ')
}

const folder = mkdtempSync(join(process.env.RFMALLOC_BENCH_DIR ?? tmpdir(), 'rfmalloc-bench-'))
const runs = Number(process.env.RFMALLOC_BENCH_RUNS ?? 5)
const rows = []
try {
  for (const name of chosen.length > 0 ? chosen : Object.keys(benches)) {
    console.error(`measuring ${name} ...`)
    rows.push(...(await benches[name]({ folder, runs })).map(row => ({ bench: name, ...row })))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

console.log(table(rows))
const here = machine()
const results = { machine: here, runs, rows: rows.map(row => ({ ...row, commit: here.commit })) }
if (write && chosen.length > 0) addOthers(results)
const json = `${JSON.stringify(results, null, 2)}\n`
mkdirSync(new URL('../target/', import.meta.url), { recursive: true })
writeFileSync(new URL('../target/bench.json', import.meta.url), json)
if (write) {
  writeFileSync(new URL('results.json', import.meta.url), json)
  writeBenchPage(results)
}
