// Small named vectors into a fresh file (8 doubles each), from JavaScript, beside lmdb's put of the same bytes.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { inChild, medians } from './measure.mjs'

export const n = 1_000_000

export function create({ folder, runs }) {
  const fresh = (task, file) => {
    for (const path of [file, `${file}-lock`]) rmSync(path, { force: true })
    return inChild(task, { file, n })
  }
  const result = medians(runs, () => {
    const ours = fresh('createFmalloc', join(folder, 'create.fm'))
    const theirs = fresh('createLmdb', join(folder, 'create.mdb'))
    return {
      ours: ours.perSecond,
      theirs: theirs.perSecond,
      ratio: ours.perSecond / theirs.perSecond,
      peak: ours.peak,
    }
  })
  return [
    {
      name: 'create small named vectors from JavaScript',
      value: result.ours / 1e6,
      unit: 'M/s',
      least: 0.3,
      beside: `lmdb put ${(result.theirs / 1e6).toFixed(2)} M/s; ratio ${result.ratio.toFixed(2)}`,
      peak: result.peak,
    },
  ]
}
