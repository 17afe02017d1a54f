// Products and margins: a product of 3000 squared beside OpenBLAS (in numpy) with the core type that is fastest here; rowSums and colSums of
// 5000 x 10 000 beside plain reading (both by the core's own example) and numpy; crossprod of a matrix on disk, larger than the memory given and in
// no cache, beside reading its file by dd (64 columns) and beside the same product of a matrix in memory (800 columns). Peers take turns in one run.
import { execFileSync, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inChild, median, medians } from './measure.mjs'
import { python } from './subscripts.mjs'

const n = 3000
const [rows, cols] = [5000, 10_000]
const threads = availableParallelism()
const memory = 512 * 2 ** 20
const cold = Number(process.env.RFMALLOC_BENCH_COLD_MIB ?? 4096) * 2 ** 20

const NUMPY = `
import json, sys, time
import numpy as np
n, rows, cols = map(int, sys.argv[1:4])
def timed(f):
    f()
    samples = []
    for _ in range(5):
        start = time.perf_counter()
        f()
        samples.append((time.perf_counter() - start) * 1000)
    return sorted(samples)[2]
a, b = (np.asfortranarray(np.random.default_rng(i).random((n, n)) - 0.5) for i in range(2))
out = {"product": timed(lambda: a @ b)}
if rows:
    x = np.asfortranarray(np.random.default_rng(3).random((rows, cols)) - 0.5)
    out |= {"rowSums": timed(lambda: x.sum(axis=1)), "colSums": timed(lambda: x.sum(axis=0))}
print(json.dumps(out))
`

const CORES = ['', 'SkylakeX', 'Cooperlake', 'SapphireRapids', 'Zen', 'Haswell']

function numpy(path, core, ...sizes) {
  const env = { ...process.env, OPENBLAS_CORETYPE: core, OPENBLAS_NUM_THREADS: String(threads) }
  const { status, stdout, stderr } = spawnSync(path, ['-c', NUMPY, ...sizes.map(String)], {
    encoding: 'utf8',
    env,
  })
  if (status !== 0) throw new Error(`numpy ended with ${status}\n${stderr}`)
  return JSON.parse(stdout)
}

/** The core type with which numpy's product is fastest. */
function fastest(path) {
  const times = CORES.map(core => ({ core, ms: numpy(path, core, n, 0, 0).product }))
  return times.toSorted((a, b) => a.ms - b.ms)[0].core
}

/** Shares of plain reading that the core's own example finds for margins, with all threads. */
function shares() {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const args = ['run', '--release', '--quiet', '-p', 'rfmalloc-core', '--example', 'compute_speed', '--']
  const text = execFileSync('cargo', [...args, String(rows * cols), 'Sums'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 900_000,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const last = text.slice(text.lastIndexOf('threads,'))
  const of = name => Number(new RegExp(`${name} .*?([\\d.]+) of its peer`).exec(last)[1])
  return { row: of('rowSums'), col: of('colSums') }
}

/** Takes a file out of the page cache. */
function cool(file) {
  const { status, stderr } = spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

/** Milliseconds that dd takes to read a file. */
function reading(file) {
  cool(file)
  const started = performance.now()
  spawnSync('dd', [`if=${file}`, 'of=/dev/null', 'bs=8M'], { stdio: 'ignore' })
  return performance.now() - started
}

function outOfCore(folder, runs, columns) {
  const file = join(folder, `cold-${columns}.fm`)
  const warm = join(folder, `warm-${columns}.fm`)
  const shape = nbytes => ({ rows: Math.floor(nbytes / 8 / columns), cols: columns })
  inChild('coldMatrix', { file, ...shape(cold) })
  inChild('coldMatrix', { file: warm, ...shape(memory) })
  const measured = medians(runs, () => {
    const disk = reading(file)
    cool(file)
    const ours = inChild('gram', { file, memory, threads })
    const inside = inChild('gram', { file: warm, threads })
    return {
      ours: cold / ours.ms / 1e6,
      disk: cold / disk / 1e6,
      inside: memory / inside.ms / 1e6,
      ofDisk: disk / ours.ms,
      ofInside: cold / ours.ms / (memory / inside.ms),
      peak: ours.peak,
    }
  })
  for (const name of [file, warm]) rmSync(name)
  return measured
}

export function matrices({ folder, runs }) {
  const { path, missing } = python(folder)
  if (missing !== undefined) console.error(missing)
  const core = path === undefined ? '' : fastest(path)
  const r = medians(runs, i => {
    const ours = inChild('matrices', { file: join(folder, `matrices-${i}.fm`), n, rows, cols, threads })
    if (path === undefined) return ours
    const theirs = numpy(path, core, n, rows, cols)
    const ratios = Object.entries(theirs).map(([key, ms]) => [`${key}Ratio`, ms / ours[key]])
    const renamed = Object.entries(theirs).map(([key, ms]) => [`${key}Numpy`, ms])
    return { ...ours, ...Object.fromEntries([...ratios, ...renamed]) }
  })
  const reads = Array.from({ length: runs }, shares)
  const beside = key =>
    path === undefined
      ? missing
      : `numpy ${r[`${key}Numpy`].toFixed(1)} ms, ratio ${r[`${key}Ratio`].toFixed(2)}`
  const [narrow, wide] = [64, 800].map(columns => outOfCore(folder, runs, columns))
  const gib = cold / 2 ** 30
  return [
    {
      name: `product of ${n} squared, ${threads} threads: share of OpenBLAS ${core || 'as it chooses'}`,
      value: path === undefined ? 0 : r.productRatio,
      unit: '×',
      least: 0.85,
      beside: `${((2 * n ** 3) / r.product / 1e6).toFixed(0)} GFLOP/s; ${beside('product')}`,
    },
    ...[
      ['rowSums', 'row'],
      ['colSums', 'col'],
    ].map(([name, key]) => ({
      name: `${name} of ${rows} x ${cols}: share of plain reading`,
      value: median(reads.map(read => read[key])),
      unit: '×',
      least: 0.8,
      beside: `${r[name].toFixed(1)} ms from JavaScript; ${beside(name)}`,
    })),
    {
      name: `crossprod of ${gib} GiB on disk, 64 columns, 512 MiB: share of the disk's rate`,
      value: narrow.ofDisk,
      unit: '×',
      least: 0.9,
      beside: `${narrow.ours.toFixed(2)} GB/s; dd ${narrow.disk.toFixed(2)}, in memory ${narrow.inside.toFixed(2)}`,
      peak: narrow.peak,
    },
    {
      name: `crossprod of ${gib} GiB on disk, 800 columns, 512 MiB: share of the rate in memory`,
      value: wide.ofInside,
      unit: '×',
      least: 0.8,
      beside: `${wide.ours.toFixed(2)} GB/s; dd ${wide.disk.toFixed(2)}, in memory ${wide.inside.toFixed(2)}`,
      peak: wide.peak,
    },
  ]
}
