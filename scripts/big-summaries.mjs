// `npm run big:summaries`: summaries of a logical vector of 2^31 + 5 elements, more than 32 bits can count, in a sparse file of 8 GiB: its last
// elements are the only ones that are not false. `-- --folder DIR` says where. Ends with one line of figures; exits 1 if an answer is wrong.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { openFmalloc } from '../dist/index.js'

const { values } = parseArgs({ options: { folder: { type: 'string' } } })
const N = 2 ** 31 + 5
const folder = mkdtempSync(join(values.folder ?? tmpdir(), 'rfmalloc-big-summaries-'))
const figures = { elements: N }

async function check(name, wanted, fn) {
  const started = performance.now()
  const got = await fn()
  figures[name] = `${((performance.now() - started) / 1000).toFixed(1)} s`
  if (!isDeepStrictEqual(got, wanted)) throw new Error(`${name} is ${got}, not ${wanted}`)
}

try {
  const store = openFmalloc(join(folder, 'big.fm'), { syncEvery: false })
  const x = store.vector('logical', N)
  x.set(N - 1, true)
  x.set(2 ** 31, true)
  await check('sum', 2, () => x.sum())
  await check('mean', 2 / N, () => x.mean())
  await check('range', [0, 1], () => x.range())
  await check('any', true, () => x.any())
  let last
  await check('sumAsync', 2, () => x.sumAsync({ onProgress: p => (last = p) }))
  if (last.done !== 4 * N || last.total !== 4 * N) throw new Error(`progress ended at ${last.done}`)
  x.subarray(2 ** 31).fill(true)
  await check('sum of a part', 4, () => x.subarray(2 ** 31 + 1).sum())
  x.set(N - 1, null)
  await check('all', false, () => x.all())
  await check('max', null, () => x.max())
  await check('sum without NA', 4, () => x.sum({ naRm: true }))
  store.close()
  console.log(
    Object.entries(figures)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
