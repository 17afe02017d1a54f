// Subscripts and conversion: `select` with 10^7 random positions and with a mask, beside numpy's take and boolean indexing of the same array in
// the same run; numeric to integer beside a plain copy of the same bytes. numpy comes into a throwaway environment; without it, its
// figures are left out, and the table says so.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { inChild, medians } from './measure.mjs'

const n = 10_000_000

/** What numpy needs for each, in ms: the median of five after one that is not counted. */
const NUMPY = `
import json, sys, time
import numpy as np
n = int(sys.argv[1])
x = np.arange(n, dtype=np.float64) * 0.5
random = np.random.default_rng(1)
at = random.integers(0, n, n)
mask = random.random(n) < 0.5
def timed(f):
    f()
    samples = []
    for _ in range(5):
        start = time.perf_counter()
        f()
        samples.append((time.perf_counter() - start) * 1000)
    return sorted(samples)[2]
print(json.dumps({"take": timed(lambda: x.take(at)), "mask": timed(lambda: x[mask])}))
`

/** A Python with numpy, or why there is none. */
export function python(folder) {
  const home = join(folder, 'numpy')
  const path = join(home, 'bin', 'python')
  const steps = [
    ['python3', ['-m', 'venv', home]],
    [path, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'numpy']],
  ]
  for (const [command, args] of steps) {
    const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 300_000 })
    if (status !== 0) {
      const lines = (error?.message ?? stderr ?? '').trim().split('\n')
      return { missing: `no numpy: ${lines.at(-1)}` }
    }
  }
  return { path }
}

export function subscripts({ folder, runs }) {
  const { path, missing } = python(folder)
  if (missing !== undefined) console.error(missing)
  const r = medians(runs, i => {
    const ours = inChild('subscripts', { file: join(folder, `subscripts-${i}.fm`), n })
    if (path === undefined) return ours
    const { status, stdout, stderr } = spawnSync(path, ['-c', NUMPY, String(n)], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`numpy ended with ${status}\n${stderr}`)
    const theirs = JSON.parse(stdout)
    return {
      ...ours,
      take: theirs.take,
      mask: theirs.mask,
      takeRatio: theirs.take / ours.positions,
      maskRatio: theirs.mask / ours.selected,
    }
  })
  const beside = (what, theirs, ratio) =>
    path === undefined ? missing : `numpy's ${what} ${theirs.toFixed(0)} ms, ratio ${ratio.toFixed(2)}`
  return [
    {
      name: 'select with 10^7 random positions',
      value: r.positions,
      unit: 'ms',
      beside: beside('take', r.take, r.takeRatio),
    },
    {
      name: 'select with a mask of 10^7',
      value: r.selected,
      unit: 'ms',
      beside: beside('boolean indexing', r.mask, r.maskRatio),
    },
    {
      name: '10^7 numeric as integer',
      value: r.convert,
      unit: 'ms',
      beside: `copy of the 80 MB ${r.copy.toFixed(0)} ms, ratio ${r.copyRatio.toFixed(2)}`,
    },
  ]
}
