// Does the runner notice? Every case is answered twice by something that cannot be wrong and must pass; then its expectation is corrupted
// in every way, one at a time, and must fail. First the judge alone, with the expectation as the answer, which needs nothing of the package;
// then the whole way through the package, for the cases it passes.
import { corruptions } from './corrupt.mjs'
import { judge } from './judge.mjs'
import { configurations, runCases } from './run.mjs'

/** The lines to print and the counts: one count for each right and each corrupted version of a case. */
export function selfTest(fm, cases) {
  const tally = new Map()
  const note = (what, noticed, id) => {
    const entry = tally.get(what) ?? { noticed: 0, missed: [] }
    tally.set(what, entry)
    if (noticed) entry.noticed += 1
    else entry.missed.push(id)
  }
  const sound = cases.filter(({ malformed }) => malformed === undefined)
  for (const golden of sound) judgeAlone(golden, note)
  throughPackage(fm, sound, note)
  return summary(tally)
}

/** The outcome that a case, or one of its alternatives, describes. */
function told({ error, error_kind: kind, expect, warn }) {
  const refusal = { code: 'ERR_PLANTED', message: 'as told', details: { kind } }
  return { warn: new Set(warn), error: error ? refusal : undefined, read: () => structuredClone(expect) }
}

function judgeAlone(golden, note) {
  for (const outcome of [golden, ...(golden.alt ?? [])]) {
    note('judge: right', judge(golden, told(outcome)) === undefined, golden.id)
  }
  for (const { what, golden: wrong } of corruptions(golden)) {
    note(`judge: ${what}`, judge(wrong, told(golden)) !== undefined, golden.id)
  }
}

function throughPackage(fm, cases, note) {
  const configs = configurations({
    modes: ['scratch'],
    styles: ['methods'],
    threads: [undefined],
    subarrays: false,
  })
  // With the first alternative as the answer, a corrupted expectation might by chance be right.
  const plain = cases.map(({ alt: _alt, ...golden }) => golden)
  const passing = runCases(fm, plain, configs).filter(({ status }) => status === 'passed')
  const wrong = passing.flatMap(({ golden }) => corruptions(golden))
  const verdicts = runCases(
    fm,
    wrong.map(({ golden }) => golden),
    configs,
  )
  verdicts.forEach(({ status, golden }, i) =>
    note(`package: ${wrong[i].what}`, status === 'failed', golden.id),
  )
}

function summary(tally) {
  const lines = []
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const [what, { noticed, missed }] of tally) {
    counts.passed += noticed
    counts.failed += missed.length
    lines.push(`${what.padEnd(30)} ${noticed} of ${noticed + missed.length}`)
    if (missed.length > 0) lines.push(`FAIL ${what}: ${missed.slice(0, 10).join(', ')}`)
  }
  lines.push('', `${counts.passed} passed, ${counts.failed} failed`)
  return { lines, counts }
}
