// Sorting 10^7 doubles into recycled space, in milliseconds, beside numpy's sort of the same array, which it copies first, as ours does; their order,
// and the order of 10^6 strings. RFMALLOC_BENCH_PYTHON names a Python that has numpy; without it its figures are left out.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { inChild, medians } from './measure.mjs'

const LEN = 10_000_000
const STRINGS = 1_000_000
/** Of each figure in a child: the median. */
const RUNS = 7

const PYTHON = `
import json, sys, time
import numpy as np
n, runs = map(int, sys.argv[1:])
x = np.random.default_rng(1).random(n)
def timed(f):
    f()
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        f()
        taken.append((time.perf_counter() - started) * 1000)
    return sorted(taken)[runs // 2]
print(json.dumps({'sort': timed(lambda: np.sort(x)), 'order': timed(lambda: np.argsort(x, kind='stable'))}))
`

function numpy() {
  const python = process.env.RFMALLOC_BENCH_PYTHON
  if (!python) return {}
  const { status, stdout, stderr } = spawnSync(python, ['-c', PYTHON, String(LEN), String(RUNS)], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`numpy ended with ${status}\n${stderr}`)
  return JSON.parse(stdout)
}

export function ordering({ folder, runs }) {
  const file = join(folder, 'ordering.fm')
  const { cores } = inChild('orderingMake', { file, len: LEN, strings: STRINGS })
  const rows = []
  for (const threads of [1, cores].filter((n, i) => i === 0 || n > 1)) {
    const r = medians(runs, () => {
      const ours = inChild('ordering', { file, threads, runs: RUNS })
      const { sort, order } = numpy()
      return {
        ...ours,
        numpySort: sort,
        numpyOrder: order,
        sortRatio: sort / ours.sort,
        orderRatio: order / ours.order,
      }
    })
    const beside = (what, theirs, ratio) =>
      Number.isNaN(ratio)
        ? 'no numpy'
        : `numpy's ${what}, one thread, ${theirs.toFixed(0)} ms, ratio ${ratio.toFixed(2)}`
    const on = `${threads} thread${threads === 1 ? '' : 's'}`
    rows.push(
      {
        name: `sort of 10^7 doubles, ${on}, of numpy`,
        value: r.sortRatio,
        unit: '×',
        least: 1,
        beside: `${r.sort.toFixed(0)} ms; numpy, one thread, ${r.numpySort.toFixed(0)} ms`,
        peak: r.peak,
      },
      {
        name: `order of 10^7 doubles, ${on}`,
        value: r.order,
        unit: 'ms',
        beside: beside('stable argsort', r.numpyOrder, r.orderRatio),
      },
      {
        name: `order of 10^6 strings, ${on}`,
        value: r.strings,
        unit: 'ms',
        beside: 'ours alone: "key" and up to seven digits',
      },
    )
  }
  return rows
}
