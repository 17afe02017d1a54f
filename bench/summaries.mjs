// Summaries of 2^27 doubles and 2^28 logicals in a file, in the cache: GB/s (of processor time, divided by the threads), beside a plain read of the same bytes
// (bench/read.c, if there is a C compiler) and numpy over the same mapping (RFMALLOC_BENCH_PYTHON names a Python that has it).
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inChild, medians } from './measure.mjs'

const NBYTES = 2 ** 30
/** Of each figure in a child: the median. */
const RUNS = 7
/** What is to be reached, of the plain read. */
const LEAST = { sum: 0.8, mean: 0.8, min: 0.95, max: 0.95 }

const PYTHON = `
import json, sys, time
import numpy as np
file, numeric, logical, nbytes, runs = sys.argv[1], *map(int, sys.argv[2:])
x = np.memmap(file, np.float64, 'r', numeric, (nbytes // 8,))
l = np.memmap(file, np.int32, 'r', logical, (nbytes // 4,))
def rate(f):
    f()
    taken = []
    for _ in range(runs):
        started = time.process_time()
        f()
        taken.append(time.process_time() - started)
    return nbytes / sorted(taken)[runs // 2] / 1e9
print(json.dumps({'sum': rate(x.sum), 'mean': rate(x.mean), 'min': rate(x.min), 'max': rate(x.max),
  'range': rate(lambda: (x.min(), x.max())), 'any': rate(lambda: (l != 0).any())}))
`

function compiled(folder) {
  const program = join(folder, 'read')
  const source = fileURLToPath(new URL('read.c', import.meta.url))
  const { status } = spawnSync('cc', ['-O3', '-march=native', '-pthread', source, '-o', program])
  return status === 0 ? program : undefined
}

function output(program, ...args) {
  const { status, stdout, stderr } = spawnSync(program, args.map(String), { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ended with ${status}\n${stderr}`)
  return stdout
}

export function summaries({ folder, runs }) {
  const file = join(folder, 'summaries.fm')
  const { numeric, logical, cores } = inChild('summariesMake', { file, nbytes: NBYTES })
  const program = compiled(folder)
  const python = process.env.RFMALLOC_BENCH_PYTHON
  const names = ['sum', 'mean', 'min', 'max', 'range', 'any']
  const rows = []
  for (const threads of [1, cores].filter((n, i) => i === 0 || n > 1)) {
    const r = medians(Math.max(runs, RUNS), () => {
      const ours = inChild('summariesFmalloc', { file, threads, runs: RUNS, nbytes: NBYTES })
      const read = program && Number.parseFloat(output(program, file, numeric, NBYTES, threads, RUNS))
      const numpy =
        python && threads === 1
          ? JSON.parse(output(python, '-c', PYTHON, file, numeric, logical, NBYTES, RUNS))
          : {}
      return {
        ...ours,
        // Without a compiler there is nothing to compare with.
        read: read ?? Number.NaN,
        ...Object.fromEntries(names.map(name => [`numpy ${name}`, numpy[name] ?? Number.NaN])),
      }
    })
    for (const name of names) {
      const peers = [`${r[name].toFixed(1)} GB/s`]
      if (!Number.isNaN(r.read)) peers.push(`plain read ${r.read.toFixed(1)} GB/s`)
      if (!Number.isNaN(r[`numpy ${name}`]))
        peers.push(
          `numpy ${r[`numpy ${name}`].toFixed(1)} GB/s, ratio ${(r[name] / r[`numpy ${name}`]).toFixed(1)}`,
        )
      rows.push({
        name: `${name}, ${threads === 1 ? 'one thread' : `${threads} threads`}, of a plain read`,
        value: r[name] / r.read,
        unit: '×',
        beside: peers.join('; '),
        ...(name in LEAST ? { least: LEAST[name] } : {}),
      })
    }
  }
  return rows
}
