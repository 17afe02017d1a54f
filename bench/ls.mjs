// `rfmalloc ls` of a store with 10^6 named objects, from the start of the process to its last line.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inChild, medians } from './measure.mjs'

const n = 1_000_000

export function ls({ folder, runs }) {
  const file = join(folder, 'million.fm')
  inChild('lsMake', { file, n })
  const main = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url))
  const timed = args => {
    const started = performance.now()
    const { status, stdout } = spawnSync(process.execPath, args, { maxBuffer: 2 ** 30 })
    if (status !== 0) throw new Error(`ended with ${status}`)
    return { ms: performance.now() - started, bytes: stdout.length }
  }
  const r = medians(runs, () => ({ ls: timed([main, 'ls', file]).ms, node: timed(['-e', '0']).ms }))
  const beside = `starting Node: ${r.node.toFixed(0)} ms`
  return [{ name: 'rfmalloc ls of 10^6 objects', value: r.ls, unit: 'ms', most: 1000, beside }]
}
