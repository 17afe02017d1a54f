// What rewriting costs in space: ten replacements of a vector of 100 MB, each made durable, then a copy and a compaction.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { openFmalloc } from 'rfmalloc'

export async function compact({ folder }) {
  const file = join(folder, 'compact.fm')
  const copy = join(folder, 'compact-copy.fm')
  const values = new Float64Array(12_500_000)
  const times = path => statSync(path).size / values.byteLength
  const store = openFmalloc(file)
  let peak = 0
  for (let i = 0; i < 10; i++) {
    store.vector('numeric', values.fill(i), { name: 'v', replace: true })
    peak = Math.max(peak, times(file))
    await store.sync()
  }
  await store.compactTo(copy)
  const started = performance.now()
  store.compact()
  const ms = performance.now() - started
  const rows = [
    { name: 'ten rewrites of 100 MB: the file at most', value: peak, unit: '× live', most: 2.2 },
    { name: 'after compactTo', value: times(copy), unit: '× live', most: 1.05 },
    { name: 'after compact', value: times(file), unit: '× live', most: 1.05 },
    { name: 'compact moves 100 MB', value: ms, unit: 'ms' },
  ]
  store.close()
  return rows
}
