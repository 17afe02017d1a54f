// Runs every ```js fence of README.md and of the pages in docs/, in order, as a script of its own in one temporary folder a page, and compares what
// it prints with the values its comments promise: `console.log(x) // 70`, `// [ 1, 2 ]`, `// true`. Prints "N passed, M failed".
import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { closingLine, zero } from './tally.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const docs = readdirSync(join(root, 'docs'))
const pages = ['README.md', ...docs.filter(name => name.endsWith('.md')).map(name => `docs/${name}`)]

/** The values promised in a fence, in order; a remark in words promises nothing, nor does what follows a colon. */
function promised(source) {
  const comments = [...source.matchAll(/console\.log\(.*\) \/\/ (\[.*\]|-?[\d.]+|true|false|null)(?=$|:)/gm)]
  return comments.map(match => match[1])
}

const sum = zero()
for (const page of pages) {
  const text = readFileSync(join(root, page), 'utf8')
  const fences = [...text.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(match => match[1])
  if (fences.length > 0) run(page, fences)
}

function run(page, fences) {
  const folder = mkdtempSync(join(tmpdir(), 'rfmalloc-readme-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/rfmalloc'), 'dir')
  fences.forEach((source, i) => {
    const script = join(folder, `fence-${i + 1}.mjs`)
    writeFileSync(script, source)
    const options = { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }
    const { status, stdout } = spawnSync(process.execPath, [script], options)
    console.log(`== ${page}, fence ${i + 1}, exit code ${status} ==\n${stdout}`)
    const lines = stdout.split('\n')
    const absent = promised(source).filter(value => !lines.includes(value))
    for (const value of absent) console.log(`not printed: ${value}`)
    sum[status === 0 && absent.length === 0 ? 'passed' : 'failed']++
  })
  rmSync(folder, { recursive: true, force: true })
}
console.log(closingLine(sum))
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1
