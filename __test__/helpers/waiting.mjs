// Waiting for something real, never for time to pass.

import v8 from 'node:v8'
import vm from 'node:vm'

/** A full garbage collection with the turns of the event loop in which finalizers run. */
export async function collect(rounds = 4) {
  if (globalThis.gc === undefined) {
    v8.setFlagsFromString('--expose-gc')
    globalThis.gc = vm.runInNewContext('gc')
  }
  for (let i = 0; i < rounds; i++) {
    // What a WeakRef was made of stays alive until the turn that made it ends.
    await new Promise(resolve => setImmediate(resolve))
    globalThis.gc()
    await new Promise(resolve => setImmediate(resolve))
    await new Promise(resolve => setTimeout(resolve, 0))
  }
}

/** Asks `condition` again and again until it is true (its value is returned) or `ms` have passed (an error naming `what`). */
export async function until(what, condition, ms = 60_000) {
  const last = Date.now() + ms
  for (;;) {
    const value = await condition()
    if (value) return value
    if (Date.now() > last) throw new Error(`did not come true within ${ms} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

/** A promise that must settle: rejects after `ms` with a message naming `what`. */
export function deadline(what, promise, ms = 60_000) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not settled within ${ms} ms: ${what}`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** The code of the error that `fn` throws, or what it returned instead. */
export function codeOf(fn) {
  try {
    return `returned ${String(fn())}`
  } catch (error) {
    return error?.code ?? `${error?.name}: ${error?.message}`
  }
}
