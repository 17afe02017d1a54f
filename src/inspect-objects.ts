/**
 * What the console prints of lists: one line each, never throws.
 */
import { basename } from 'node:path'
import { quietly } from './errors.js'
import { handleOf } from './facade.js'
import type { Handle } from './handle.js'
import { summarize } from './inspect.js'
import { isList, type List } from './list.js'
import type { Stored } from './types.js'
import { isVector } from './vector.js'

const SHOWN = 10

/** `List "study" [3]`, with the state of a dead handle. */
export function summarizeObject(x: Stored): string {
  if (isVector(x)) return summarize(x)
  const handle = handleOf(x, 'toString')
  return `${isList(x) ? 'List' : 'DataFrame'}${label(handle)} [${handle.length}]${dead(handle)}`
}

function label(handle: Handle): string {
  const name = quietly(() => handle.name, null)
  return name === null ? '' : ` ${JSON.stringify(name)}`
}

function dead(handle: Handle): string {
  const state = quietly(() => handle.state(), 'closed')
  return state === 'closed' || state === 'destroyed' ? ` (${state})` : ''
}

/** ` (temporary, in cohort.fm)`. */
function where(handle: Handle): string {
  const temporary = handle.state() === 'temporary' ? 'temporary, ' : ''
  return `  (${temporary}in ${handle.space.path === '' ? 'an anonymous file' : basename(handle.space.path)})`
}

/** The summary and those of the first objects in it. */
export function inspectList(list: List): string {
  const line = summarizeObject(list)
  const handle = handleOf(list, 'inspect')
  return quietly(() => {
    if (!handle.isAlive()) return line
    const { names } = list
    const items: string[] = []
    for (let i = 0; i < Math.min(list.length, SHOWN); i++) {
      const name = names?.get(i) ?? ''
      items.push(`${name === '' ? '' : `${name}: `}${quietly(() => item(list.get(i)), '(gone)')}`)
    }
    if (list.length > SHOWN) items.push('…')
    return `${line}  ${items.join(', ')}${where(handle)}`
  }, line)
}

function item(x: Stored | null): string {
  return x === null ? 'null' : summarizeObject(x)
}
