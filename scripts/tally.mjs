// Counts test results. As a module: run one test runner, echo what it prints, return its counts.
// As a command: `node scripts/tally.mjs LOG...` adds up the last "N passed, M failed" line of every log.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

/**
 * What a line of a runner's output adds to the counts; each runner has its own words.
 * @type {Record<string, (line: string) => { passed?: number, failed?: number, skipped?: number } | undefined>}
 */
const readers = {
  // TAP, as `ava --tap` prints it: a crashed file or an uncaught exception is a "not ok" line too.
  tap(line) {
    const [, not, rest] = /^(not )?ok \d+(.*)$/.exec(line) ?? []
    if (rest === undefined) return undefined
    if (/ # (SKIP|TODO)\b/.test(rest)) return { skipped: 1 }
    return not ? { failed: 1 } : { passed: 1 }
  },
  // One line per test binary and per crate's doctests.
  cargo(line) {
    const counts = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/.exec(line)
    return counts && { passed: +counts[1], failed: +counts[2], skipped: +counts[3] }
  },
  // The C tests and our own scripts: "N passed, M failed", perhaps ", K skipped". Only the last such line counts: it is the sum.
  plain(line) {
    const counts = /^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(line)
    return counts && { passed: +counts[1], failed: +counts[2], skipped: +(counts[3] ?? 0) }
  },
}

export const zero = () => ({ passed: 0, failed: 0, skipped: 0 })

export function add(sum, more) {
  for (const key of Object.keys(sum)) sum[key] += more?.[key] ?? 0
  return sum
}

export function closingLine({ passed, failed }) {
  return `${passed} passed, ${failed} failed`
}

/** Runs a command and counts its results. An exit code that no failed test explains counts as one failure. */
export async function run(reader, command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options })
  const ended = new Promise(resolve => {
    child.on('error', error => {
      console.log(`${command}: ${error.message}`)
      resolve(1)
    })
    child.on('close', resolve)
  })
  const counts = zero()
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line)
    const found = readers[reader](line)
    if (reader === 'plain') Object.assign(counts, found)
    else add(counts, found)
  }
  const status = await ended
  if (status !== 0 && counts.failed === 0) counts.failed = 1
  if (status === 0 && counts.passed === 0 && counts.failed === 0) {
    console.log(`${command} ended well but ran no test`)
    counts.failed = 1
  }
  return counts
}

/** The last closing line of a log, or nothing: a step that is no test runner has none. */
export function lastClosingLine(text) {
  return text
    .split('\n')
    .map(line => readers.plain(line))
    .findLast(Boolean)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const sum = zero()
  for (const log of process.argv.slice(2)) add(sum, lastClosingLine(readFileSync(log, 'utf8')))
  console.log(closingLine(sum))
  process.exitCode = sum.failed === 0 ? 0 : 1
}
