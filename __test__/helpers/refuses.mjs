// The one way in which a test says "this is refused": a FmallocError with a code, nothing else. A TypeError thrown by accident fails
// the test just as no error does.

import { FmallocError } from '../../dist/index.js'

function judge(t, error, codes, message) {
  const wanted = [codes].flat().map(code => `ERR_FMALLOC_${code}`)
  const what = error === undefined ? 'nothing was thrown' : `${error?.name} ${error?.code}: ${error?.message}`
  if (!(error instanceof FmallocError)) {
    t.fail(`expected ${wanted.join(' or ')}, but: ${what}`)
    return error
  }
  if (!wanted.includes(error.code)) {
    t.fail(`expected ${wanted.join(' or ')}, but: ${what}`)
    return error
  }
  if (message === undefined) t.pass()
  else t.regex(error.message, message)
  return error
}

/** `fn` throws a FmallocError with one of `codes` (written without the ERR_FMALLOC_ prefix) and, if given, a message like this. */
export function refuses(t, fn, codes, message) {
  let error
  try {
    fn()
  } catch (e) {
    error = e ?? new Error(`threw ${e}`)
  }
  return judge(t, error, codes, message)
}

/** The same for a promise: the function must return one (never throw), and it must reject. */
export async function rejects(t, fn, codes, message) {
  let error
  let promise
  try {
    promise = fn()
  } catch (e) {
    t.fail(`must reject, but threw at once: ${e?.code} ${e?.message}`)
    return e
  }
  try {
    await promise
  } catch (e) {
    error = e ?? new Error(`rejected with ${e}`)
  }
  return judge(t, error, codes, message)
}
