// Data frames: the rows of 3 million flights that a mask of numbers, or a comparison of texts, finds, beside Polars for Node on the same file in the same
// run. Polars comes into a throwaway folder; without it, its figures are left out, and the table says so.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inChild, medians } from './measure.mjs'

const parquet = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')))

/** A folder with Polars, or why there is none. */
function polars(folder) {
  const home = join(folder, 'polars')
  mkdirSync(home)
  const run = (command, args) => {
    const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 300_000 })
    if (status !== 0) throw new Error((error?.message ?? stderr ?? '').trim().split('\n').at(-1))
  }
  const install = name =>
    run('npm', ['install', '--prefix', home, '--no-save', '--no-audit', '--no-fund', ...name])
  try {
    install(['nodejs-polars'])
    // npm leaves the binary out, without a word, where it was made for a newer Node than this.
    const manifest = readFileSync(join(home, 'node_modules/nodejs-polars/package.json'), 'utf8')
    const system = `nodejs-polars-${process.platform}-${process.arch}`
    const binary = Object.entries(JSON.parse(manifest).optionalDependencies).find(
      ([name]) => name.startsWith(system) && !name.endsWith('musl'),
    )
    if (binary) install(['nodejs-polars', binary.join('@')])
    run(process.execPath, ['-e', 'require(process.argv[1])', join(home, 'node_modules/nodejs-polars')])
    return { home }
  } catch (error) {
    return { missing: `no Polars: ${error.message}` }
  }
}

export function frames({ folder, runs }) {
  const { home, missing } = polars(folder)
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
