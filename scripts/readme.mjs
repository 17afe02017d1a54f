// Runs every ```js fence of README.md, in order, as a script of its own in one temporary folder: what the README shows, works.
// Prints "N passed, M failed".
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { closingLine, zero } from './tally.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const fences = [...readme.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(match => match[1])

const folder = mkdtempSync(join(tmpdir(), 'rfmalloc-readme-'))
mkdirSync(join(folder, 'node_modules'))
symlinkSync(root, join(folder, 'node_modules/rfmalloc'), 'dir')

const sum = zero()
fences.forEach((source, i) => {
  const script = join(folder, `fence-${i + 1}.mjs`)
  writeFileSync(script, source)
  console.log(`\n== fence ${i + 1} ==`)
  const { status } = spawnSync(process.execPath, [script], { cwd: folder, stdio: 'inherit' })
  sum[status === 0 ? 'passed' : 'failed']++
})
rmSync(folder, { recursive: true, force: true })
console.log(`\n${closingLine(sum)}`)
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1
