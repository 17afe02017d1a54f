// Runs every ```js fence of README.md and of the pages in docs/, in order, as a script of its own in one temporary folder a page, and compares what
// it prints with the values its comments promise: `console.log(x) // 70`, `// [ 1, 2 ]`, `// true`. A ```c file=NAME fence is written there, and a
// ```sh run fence run there by bash, with RFMALLOC naming this repository. Prints "N passed, M failed".
// `node scripts/readme.mjs docs/na.md` runs one page.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fencesOf, notPrinted } from './fences.mjs'
import { closingLine, zero } from './tally.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const docs = readdirSync(join(root, 'docs'))
const every = ['README.md', ...docs.filter(name => name.endsWith('.md')).map(name => `docs/${name}`)]
const pages = process.argv.length > 2 ? process.argv.slice(2) : every

/** Packages that fences may ask for; some come from this one's development. */
const packages = { rfmalloc: root, 'node-api-headers': join(root, 'node_modules/node-api-headers') }

const sum = zero()
for (const page of pages) {
  const fences = fencesOf(join(root, page))
  if (fences.length > 0) run(page, fences)
}

/** The command that runs a fence; a C source is only put where a later one finds it. */
function commandOf({ kind, file, source }, name, folder) {
  const script = join(folder, file ?? `${name}.${kind === 'js' ? 'mjs' : 'sh'}`)
  writeFileSync(script, source)
  if (kind === 'c') return undefined
  return kind === 'js' ? [process.execPath, script] : ['bash', '-e', script]
}

function run(page, fences) {
  const folder = mkdtempSync(join(tmpdir(), 'rfmalloc-readme-'))
  mkdirSync(join(folder, 'node_modules'))
  for (const [name, from] of Object.entries(packages)) {
    symlinkSync(from, join(folder, 'node_modules', name), 'dir')
  }
  const env = { ...process.env, RFMALLOC: root.replace(/\/$/, '') }
  const options = { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }
  fences.forEach((fence, i) => {
    const command = commandOf(fence, `fence-${i + 1}`, folder)
    if (command === undefined) return
    const { status, stdout } = spawnSync(command[0], command.slice(1), options)
    console.log(`== ${page}, fence ${i + 1}, exit code ${status} ==\n${stdout}`)
    const absent = notPrinted(fence.source, stdout)
    for (const value of absent) console.log(`not printed: ${value}`)
    sum[status === 0 && absent.length === 0 ? 'passed' : 'failed']++
  })
  rmSync(folder, { recursive: true, force: true })
}
console.log(closingLine(sum))
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1
