// Writes what the command line prints of a small store into docs/cli.md, between the marks of each capture, and docs/map.svg.
// `node scripts/captures.mjs --check` only compares, and exits 1 where the page shows something else.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openFmalloc } from '../dist/index.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const main = join(root, 'dist/src/cli/main.js')
const page = join(root, 'docs/cli.md')
const folder = mkdtempSync(join(tmpdir(), 'rfmalloc-captures-'))

/** A store with something of every kind, and a gap. */
function makeStore() {
  const store = openFmalloc(join(folder, 'study.fm'))
  store.vector('numeric', 60_000, { name: 'weight' })
  store.vector('integer', 80_000, { name: 'old' })
  store.matrix('numeric', [400, 100], { name: 'X' })
  const sites = Array.from({ length: 20_000 }, (_, i) => `site number ${i % 40} of the study`)
  store.dataFrame({ age: new Int32Array(20_000).fill(40), site: sites }, { name: 'people' })
  store.list({ weight: store.get('weight'), model: null }, { name: 'fit' })
  store.vector('raw', 100_000, { name: 'draft' })
  store.syncNow()
  store.delete('old')
  store.close()
  writeFileSync(join(folder, 'flights.csv'), 'carrier,delay,tail\nUA,2,N14228\nAA,,N619AA\nB6,-18,N804JB\n')
}

function run(command) {
  const options = { cwd: folder, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [main, ...command.split(' ').slice(1)],
    options,
  )
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
  return stdout.replaceAll(`${folder}/`, '').replace(/[ \t]+$/gm, '')
}

makeStore()
const before = readFileSync(page, 'utf8')
const after = before.replace(/```console\n\$ (rfmalloc [^\n]+)\n[\s\S]*?```/g, (_, command) => {
  return '```console\n$ ' + command + '\n' + run(command) + '```'
})
const svg = readFileSync(join(folder, 'map.svg'), 'utf8').replaceAll(`${folder}/`, '')
rmSync(folder, { recursive: true, force: true })
if (process.argv.includes('--check')) {
  const isSame = after === before && svg === readFileSync(join(root, 'docs/map.svg'), 'utf8')
  console.log(
    isSame ? 'docs/cli.md shows what is printed' : 'docs/cli.md is old: run node scripts/captures.mjs',
  )
  process.exitCode = isSame ? 0 : 1
} else {
  writeFileSync(page, after)
  writeFileSync(join(root, 'docs/map.svg'), svg)
}
