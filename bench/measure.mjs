// Shared by the benches: child processes that print one JSON line, medians, and the resident set.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Calls fn n times and returns the median of each number in what it returns. */
export function medians(n, fn) {
  const samples = Array.from({ length: n }, (_, i) => fn(i))
  return Object.fromEntries(Object.keys(samples[0]).map(key => [key, median(samples.map(s => s[key]))]))
}

/** The most memory this process has had resident, in MiB; file pages it mapped count too. */
export function peakMiB() {
  return process.resourceUsage().maxRSS / 1024
}

/** Runs one task of bench/child.mjs in a fresh process and returns what it printed. It may end by SIGKILL, on purpose. */
export function inChild(task, options = {}) {
  const child = fileURLToPath(new URL('child.mjs', import.meta.url))
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', child, task, JSON.stringify(options)],
    { encoding: 'utf8' },
  )
  if (status !== 0 && !(signal === 'SIGKILL' && options.kill)) {
    throw new Error(`${task} ended with ${signal ?? status}\n${stderr}`)
  }
  return JSON.parse(stdout)
}
