// `rfmalloc ls` of a store with 10^6 named objects, from the start of the process to its last line; their names in JavaScript.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inChild, medians } from './measure.mjs'

const n = 1_000_000

/** At its end the process says how much it had resident. */
const TELL = `data:text/javascript,process.on('exit', () => console.error(process.resourceUsage().maxRSS))`

export function ls({ folder, runs }) {
  const file = join(folder, 'million.fm')
  inChild('lsMake', { file, n })
  const main = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url))
  const timed = args => {
    const started = performance.now()
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', TELL, ...args], {
      maxBuffer: 2 ** 30,
      encoding: 'latin1',
    })
    const ms = performance.now() - started
    const lines = stdout.split('\n').length - 1
    if (status !== 0 || (args[0] === main && lines < n))
      throw new Error(`ended with ${status} after ${lines}`)
    return { ms, peak: Number(stderr) / 1024 }
  }
  const r = medians(runs, () => {
    const [text, json, node] = [
      timed([main, 'ls', file]),
      timed([main, 'ls', '--json', file]),
      timed(['-e', '0']),
    ]
    const keys = inChild('lsKeys', { file })
    return {
      ls: text.ms,
      peak: text.peak,
      json: json.ms,
      jsonPeak: json.peak,
      node: node.ms,
      keys: keys.ms,
      keysPeak: keys.peak,
    }
  })
  // In brackets: no other library's figure.
  const beside = `with the start of Node (${r.node.toFixed(0)} ms)`
  return [
    { name: 'rfmalloc ls of 10^6 objects', value: r.ls, unit: 'ms', most: 1000, beside, peak: r.peak },
    { name: 'rfmalloc ls --json of 10^6 objects', value: r.json, unit: 'ms', beside, peak: r.jsonPeak },
    { name: 'store.keys() of 10^6 objects, the first time', value: r.keys, unit: 'ms', peak: r.keysPeak },
  ]
}
