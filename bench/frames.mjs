// Data frames: the rows of 3 million flights that a mask of numbers, or a comparison of texts, finds, beside Polars for Node on the same file in the same
// run. Polars comes into a throwaway folder; without it, its figures are left out, and the table says so.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inChild, medians } from './measure.mjs'
import { throwaway } from './throwaway.mjs'

const parquet = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')))

export function frames({ folder, runs }) {
  const { home, missing } = throwaway(folder, 'nodejs-polars')
  if (missing !== undefined) console.error(missing)
  const r = medians(runs, i => {
    const ours = inChild('framesFmalloc', { file: join(folder, `frames-${i}.fm`) })
    if (home === undefined) return ours
    const theirs = inChild('framesPolars', { home, parquet })
    if (theirs.lateRows !== ours.lateRows || theirs.fromRows !== ours.fromRows)
      throw new Error(`other rows than Polars: ${JSON.stringify({ ours, theirs })}`)
    return { ...ours, lateTheirs: theirs.late, fromTheirs: theirs.from }
  })
  const beside = (ours, theirs) =>
    home === undefined ? missing : `Polars ${theirs.toFixed(1)} ms, ratio ${(theirs / ours).toFixed(2)}`
  return [
    {
      name: '3 M flights: delay > 60 (our mask: a loop over views)',
      value: r.late,
      unit: 'ms',
      beside: beside(r.late, r.lateTheirs),
    },
    { name: "3 M flights: origin == 'ATL'", value: r.from, unit: 'ms', beside: beside(r.from, r.fromTheirs) },
  ]
}
