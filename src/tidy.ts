/**
 * `store.tidy`: frees the temporaries a function made, except those it returns. A scope remembers numbers only, so that what is already
 * unreachable can still be swept while the function runs.
 */
import { fail } from './errors.js'
import type { Handle } from './handle.js'
import type { Space } from './memory.js'
import { native } from './native.js'
import { handleOf, isStored } from './facade.js'
import { isVector, partsOf } from './vector.js'

interface Made {
  readonly token: number
  readonly id: number
}

/** The temporaries made since one `tidy` call began. */
export class TidyScope {
  #made: Made[] = []

  note({ token, id }: Handle | Made): void {
    this.#made.push({ token, id })
  }

  /** Destroys all but the kept ones and what those hold, which pass to the enclosing scope. */
  finish(kept: ReadonlySet<number>, outer: TidyScope | undefined): void {
    let rest = this.#made.filter(isStill)
    for (const made of rest) if (kept.has(made.token)) outer?.note(made)
    rest = rest.filter(made => !kept.has(made.token))
    // What holds others was mostly made after them: from the end, one round is enough.
    for (let before = Infinity; rest.length > 0 && rest.length < before;) {
      before = rest.length
      rest = rest.reverse().filter(isHeld).reverse()
    }
    for (const made of rest) outer?.note(made)
  }
}

/** Destroys a temporary, unless a list or frame holds it. */
function isHeld({ token }: Made): boolean {
  if (native.parents(token) > 0) return true
  native.destroy(token, false)
  return false
}

/** Whether the token still names the same living temporary: tokens are reused, and `keep()` may have committed it. */
function isStill(made: Made): boolean {
  try {
    return native.stateOf(made.token) === 'temporary' && native.describe(made.token).id === made.id
  } catch {
    return false
  }
}

/** Runs `fn` within a scope of the space. */
export function tidy<R>(space: Space, fn: () => R): R {
  const scope = new TidyScope()
  space.scopes.push(scope)
  const kept = new Set<number>()
  try {
    const result = fn()
    if (result instanceof Promise) {
      result.catch(() => {})
      fail(
        'ARGUMENT',
        'tidy needs a synchronous function: what an async one makes after its first await cannot be tidied',
      )
    }
    collectTokens(result, kept, new Set())
    return result
  } finally {
    space.scopes.splice(space.scopes.indexOf(scope), 1)
    if (space.open) scope.finish(kept, space.scopes.at(-1))
  }
}

/** Finds the store's objects through arrays and plain objects at any depth. */
function collectTokens(value: unknown, tokens: Set<number>, seen: Set<object>): void {
  const pending: unknown[] = [value]
  while (pending.length > 0) {
    const x = pending.pop()
    if (typeof x !== 'object' || x === null || seen.has(x)) continue
    seen.add(x)
    if (isVector(x)) tokens.add(partsOf(x).handle.token)
    else if (isStored(x)) tokens.add(handleOf(x, 'tidy').token)
    // One by one: spread into a call, a long array would overflow the stack.
    else if (Array.isArray(x)) for (const inner of x as unknown[]) pending.push(inner)
    else if (isPlainObject(x)) for (const inner of Object.values(x)) pending.push(inner)
  }
}

function isPlainObject(x: object): boolean {
  const proto: unknown = Object.getPrototypeOf(x)
  return proto === null || proto === Object.prototype
}
