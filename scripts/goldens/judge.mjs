// One case's verdict: whether an outcome agrees with the case itself or with one of its alternatives. An outcome is
// `{ warn: Set, read(want) }`, where `read` gives the value as far as the expectation helps to tell it, or `{ warn, error }`.
import { brief, difference } from './compare.mjs'

/** Undefined if the outcome passes, else `{ expected, got }` in words. */
export function judge(golden, outcome) {
  const first = disagreement(golden, golden, outcome)
  if (first === undefined) return undefined
  const others = (golden.alt ?? []).map(alt => disagreement(golden, alt, outcome))
  if (others.includes(undefined)) return undefined
  return { expected: expectation(golden), got: first }
}

/** The expectation in words. */
function expectation({ error, error_kind: kind, expect, warn }) {
  const warnings = warn.length > 0 ? `, warning ${warn.join(', ')}` : ''
  return (error ? `an error (${kind})` : brief(expect)) + warnings
}

function disagreement(golden, { error, expect, warn }, outcome) {
  if (outcome.error !== undefined && !error) return `threw ${outcome.error.code}: ${outcome.error.message}`
  if (outcome.error === undefined) {
    const got = outcome.read(error ? null : expect)
    if (error) return `no error but ${brief(got)}`
    const apart = difference(got, expect, golden)
    if (apart !== undefined) return `${brief(got)}: ${apart}`
  }
  const [raised, wanted] = [[...outcome.warn].sort().join(', '), [...warn].sort().join(', ')]
  return raised === wanted ? undefined : `warning ${raised || 'none'}, expected ${wanted || 'none'}`
}

/** The kind a refusal was expected to name and the one it named, where they differ; undefined where they agree or none was expected. */
export function kindNote(golden, outcome) {
  if (!golden.error || outcome.error === undefined) return undefined
  const named = outcome.error.details?.kind
  return named === golden.error_kind ? undefined : { expected: golden.error_kind, got: named ?? 'none' }
}
