// What a run of goldens says: a line for each group, each failure by name, skipped operations with their reasons, error kinds that differ as
// notes, and the sum. Returns lines; prints nothing.

const clip = (text, length = 240) => (text.length > length ? `${text.slice(0, length)}…` : text)

/** The lines of a run and its counts: `verdicts` of all files, in order. */
export function report(verdicts) {
  const counts = countOf(verdicts)
  const lines = [
    ...groupLines(verdicts),
    ...failureLines(verdicts),
    ...skipLines(verdicts),
    ...noteLines(verdicts),
  ]
  lines.push('', `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  return { lines, counts }
}

function countOf(verdicts) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const { status } of verdicts) counts[status] += 1
  return counts
}

/** Members by key, in order of first appearance. */
function grouped(verdicts, keyOf) {
  const found = new Map()
  for (const verdict of verdicts) {
    const key = keyOf(verdict)
    if (found.has(key)) found.get(key).push(verdict)
    else found.set(key, [verdict])
  }
  return [...found]
}

function groupLines(verdicts) {
  return grouped(verdicts, ({ golden }) => golden.group).map(([group, members]) => {
    const { passed, failed, skipped } = countOf(members)
    return `${group.padEnd(16)} ${members.length} cases: ${passed} passed, ${failed} failed, ${skipped} skipped`
  })
}

function failureLines(verdicts) {
  const failures = verdicts.filter(({ status }) => status === 'failed')
  return failures.map(
    ({ golden, expected, got, config }) =>
      `FAIL ${golden.id} ${golden.op} (${config}): expected ${clip(expected)}; got ${clip(got)}`,
  )
}

function skipLines(verdicts) {
  const skipped = verdicts.filter(({ status }) => status === 'skipped')
  const reasons = grouped(skipped, ({ golden, reason }) => `${golden.op}: ${clip(reason)}`)
  return reasons.map(([what, members]) => `skipped ${members.length} of ${what}`)
}

function noteLines(verdicts) {
  const noted = verdicts.filter(({ status, note }) => status === 'passed' && note !== undefined)
  const kinds = grouped(
    noted,
    ({ golden, note }) => `${golden.op}: error kind ${note.got}, expected ${note.expected}`,
  )
  return kinds.map(([what, members]) => {
    const ids = members.slice(0, 3).map(({ golden }) => golden.id)
    return `note ${members.length} of ${what} (${ids.join(', ')}${members.length > 3 ? ', …' : ''})`
  })
}
