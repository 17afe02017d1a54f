// Operators and mathematics of 2^24 doubles a vector in a file, in the cache of the system: GB/s by processor time shared among the threads, each
// vector counted once however often it is read, beside numpy over the same mapping, which has one thread, and numexpr at as many as ours
// (RFMALLOC_BENCH_PYTHON names a Python that has both). Results take recycled space: ours by destroying each, numpy's from its allocator or, where it
// says so, a result given to it. Our logicals have four bytes, since they have NA; numpy's operands of `&` are as wide, and its bytes stand beside.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { inChild, medians } from './measure.mjs'

const LENGTH = 2 ** 24
/** Of each figure in a child: the median. */
const RUNS = 7

/** What is to be reached, of numpy, of numexpr at as many threads, or of a plain copy. */
const LEAST = {
  'a + b': [['numpy', 1.3]],
  '2a + b*c - d': [
    ['numpy', 2],
    ['numexpr', 1],
  ],
  exp: [['numpy', 1]],
  log: [['numpy', 1]],
  sin: [['numpy', 1]],
  cumsum: [['copy', 0.5]],
  'a < b': [['numpy', 1.5]],
  'l & m': [['numpy', 1.5]],
}

const PYTHON = `
import json, resource, sys, time
import numpy as np
file, length, runs, threads = sys.argv[1], *map(int, sys.argv[2:5])
places = json.loads(sys.argv[5])
try:
    import numexpr
    numexpr.set_num_threads(threads)
except ImportError:
    numexpr = None
a, b, c, d = (np.memmap(file, np.float64, 'r', places[k], (length,)).view(np.ndarray) for k in 'abcd')
l, m = (a < b).astype(np.int32), (b < c).astype(np.int32)
p, q = a < b, b < c
out = np.empty(length)
def seconds(f, n=1):
    f()
    taken = []
    for _ in range(runs):
        started = time.process_time()
        for _ in range(n): f()
        taken.append((time.process_time() - started) / n)
    return sorted(taken)[runs // 2]
x, y = np.arange(10.0), np.arange(10.0)
done = {'copy': seconds(lambda: np.copyto(out, a)), 'a + b': seconds(lambda: a + b),
  'a + b out': seconds(lambda: np.add(a, b, out=out)), '2a + b*c - d': seconds(lambda: 2 * a + b * c - d),
  'cumsum': seconds(lambda: np.cumsum(a)), 'exp': seconds(lambda: np.exp(a)), 'log': seconds(lambda: np.log(a)), 'sin': seconds(lambda: np.sin(a)),
  'a < b': seconds(lambda: a < b), 'l & m': seconds(lambda: np.logical_and(l, m)), 'p & q': seconds(lambda: p & q), 'small': seconds(lambda: x + y, 20000)}
if numexpr is not None:
    done['numexpr'] = seconds(lambda: numexpr.evaluate('2 * a + b * c - d')) / threads
done['resident'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(done))
`

function numpy(python, file, threads, places) {
  const args = ['-c', PYTHON, file, LENGTH, RUNS, threads, JSON.stringify(places)].map(String)
  const { status, stdout, stderr } = spawnSync(python, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`python ended with ${status}\n${stderr}`)
  return JSON.parse(stdout)
}

/** Bytes that each figure touches, in vectors of doubles. */
const STREAMS = {
  copy: 2,
  'a + b': 3,
  '2a + b*c - d': 5,
  exp: 2,
  log: 2,
  sin: 2,
  cumsum: 2,
  'a < b': 2.5,
  'l & m': 1.5,
}

export function operations({ folder, runs }) {
  const file = join(folder, 'operations.fm')
  const { places, cores } = inChild('operationsMake', { file, length: LENGTH })
  const python = process.env.RFMALLOC_BENCH_PYTHON
  const rows = []
  const rate = (name, seconds) => (STREAMS[name] * 8 * LENGTH) / seconds / 1e9
  for (const threads of [1, cores].filter((n, i) => i === 0 || n > 1)) {
    const r = medians(runs, () => {
      const ours = inChild('operations', { file, threads, runs: RUNS })
      const theirs = python ? numpy(python, file, threads, places) : {}
      return {
        ...ours,
        ...Object.fromEntries(Object.entries(theirs).map(([name, value]) => [`numpy ${name}`, value])),
      }
    })
    const how = threads === 1 ? 'one thread' : `${threads} threads`
    for (const [name, peers] of Object.entries(LEAST)) {
      for (const [peer, least] of peers) {
        const other = r[peer === 'numpy' ? `numpy ${name}` : `numpy ${peer}`] ?? Number.NaN
        const beside = [
          `${rate(name, r[name]).toFixed(1)} GB/s`,
          `${peer} ${rate(name, other).toFixed(1)} GB/s`,
        ]
        if (name === 'a + b') {
          const copy = rate('copy', r['numpy copy'] ?? Number.NaN)
          beside.push(`of a copy (${copy.toFixed(1)} GB/s): ${(rate(name, r[name]) / copy).toFixed(2)}`)
          beside.push(
            `numpy into a given result ${rate(name, r['numpy a + b out'] ?? Number.NaN).toFixed(1)} GB/s`,
          )
        }
        if (name === 'cumsum')
          beside.push(`numpy ${rate(name, r['numpy cumsum'] ?? Number.NaN).toFixed(1)} GB/s`)
        if (name === 'l & m')
          beside.push(
            `numpy's bytes take ${((r['numpy p & q'] ?? Number.NaN) / r[name]).toFixed(2)} of our time`,
          )
        rows.push({
          name: `${name}, ${how}, of ${peer}`,
          value: other / r[name],
          unit: '×',
          least,
          beside: beside.join('; '),
        })
      }
    }
    if (threads > 1) continue
    rows.push({
      name: 'a.add(b) of 10 elements',
      value: r.small * 1e6,
      unit: 'µs',
      most: 3,
      beside: `numpy ${((r['numpy small'] ?? Number.NaN) * 1e6).toFixed(2)} µs`,
    })
    rows.push({
      name: 'resident at most, all of the above',
      value: r.resident,
      unit: 'MiB',
      beside: `numpy ${(r['numpy resident'] ?? Number.NaN).toFixed(0)} MiB`,
    })
  }
  return rows
}
