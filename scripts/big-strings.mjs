// `npm run big:strings`: a character vector of 3 GB, more than one buffer of a heap can hold, written, closed, opened again, and read in
// order and at random; every string is compared with the one that was written. `-- --bytes 3e8` makes a smaller one, `--folder DIR` says
// where. Ends with one line of figures; exits 1 if a string differs.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openFmalloc } from '../dist/index.js'

const { values } = parseArgs({ options: { bytes: { type: 'string' }, folder: { type: 'string' } } })
const total = Number(values.bytes ?? 3e9)
/** Bytes of a string: long ones mostly, short ones between them, and one in a thousand of characters of four bytes. */
const LONG = 1000
const CHUNK = 8192
const filler = '.'.repeat(LONG)
const wide = '😀'.repeat(LONG / 4 - 4)

function textOf(i) {
  if (i % 1000 === 7) return null
  if (i % 1000 === 8) return wide + String(i).padStart(16, '0')
  return i % 16 === 3 ? `${i}` : `${i}${filler.slice(String(i).length)}`
}

const n = Math.ceil(total / (LONG * (15 / 16)))
const folder = mkdtempSync(join(values.folder ?? tmpdir(), 'rfmalloc-big-strings-'))
const figures = { strings: n }

function timed(name, fn) {
  const started = performance.now()
  const result = fn()
  figures[name] = `${((performance.now() - started) / 1000).toFixed(1)} s`
  return result
}

function check(i, text) {
  if (text === textOf(i)) return
  throw new Error(`string ${i} is ${JSON.stringify(text)?.slice(0, 80)}, not what was written`)
}

try {
  const path = join(folder, 'big.fm')
  const store = openFmalloc(path)
  timed('write', () => {
    const v = store.vector('character', n, { name: 'v' })
    for (let at = 0; at < n; at += CHUNK)
      v.write(
        Array.from({ length: Math.min(CHUNK, n - at) }, (_, k) => textOf(at + k)),
        at,
      )
  })
  timed('close', () => store.close())
  const again = timed('open', () => openFmalloc(path, { readOnly: true }))
  const v = again.get('v')
  figures.GB = (again.diagnose().summary.liveBytes / 1e9).toFixed(2)
  if (v.length !== n) throw new Error(`${v.length} strings, not ${n}`)
  timed('iterate', () => {
    let i = 0
    for (const text of v) check(i++, text)
    if (i !== n) throw new Error(`${i} strings came, not ${n}`)
  })
  timed('get 10^5', () => {
    for (let k = 0; k < 1e5; k++) {
      const i = Math.floor(Math.random() * n)
      check(i, v.get(i))
    }
  })
  const { ok } = timed('verify', () => again.verify({ payloads: true }))
  if (!ok) throw new Error('verify found faults')
  again.close()
  console.log(
    Object.entries(figures)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
