/**
 * Reports over a whole store for the command line: the objects and the file's bytes, read from a few long arrays, so that a million objects
 * cost no million calls.
 */
import { dtypeOf } from './dtype.js'
import { quietly } from './errors.js'
import { native, type NativeListing } from './native.js'
import { spaceOf, type Store } from './store.js'

/** One object of a listing. */
export interface Listed {
  /** null: it has none. */
  readonly name: string | null
  readonly id: number
  readonly generation: number
  readonly kind: 'vector' | 'matrix' | 'array' | 'list' | 'dataFrame'
  /** null: the record is damaged. */
  readonly type: string | null
  readonly length: number
  /** Extents of matrices and arrays; rows and columns of frames. */
  readonly dim: string
  /** Bytes that count to it: of a frame its columns too. */
  readonly nbytes: number
}

/** A stretch of the file. */
export interface Stretch {
  readonly offset: number
  readonly nbytes: number
  readonly use: string
  /** Of a live stretch: the object it counts to; -1: none. */
  readonly id: number
}

const KINDS = ['vector', 'matrix', 'array', 'list', 'dataFrame'] as const
const DAMAGED = 0

function typeName(code: number): string | null {
  return code === DAMAGED ? null : quietly(() => dtypeOf(code).name, `type ${code}`)
}

/**
 * Calls `each` with every object's name (null: none) and what `describe` makes of the rest, which is asked once for each combination: a million
 * objects are mostly alike.
 */
export function eachListed(
  store: Store,
  describe: (object: Listed) => string,
  each: (name: string | null, i: number, description: string) => void,
): { ids: Float64Array; generations: Float64Array } {
  spaceOf(store).checkAccepting()
  const all = native.storeListing(spaceOf(store).handle)
  const { names, nameLengths, ids, generations, kinds, typeCodes, lengths, nbytes } = all
  const dims = all.dims.length < ids.length ? undefined : all.dims.split(',')
  const known = new Map<string, string>()
  let [at, last, lastKey] = [0, '', '']
  for (let i = 0; i < ids.length; i++) {
    const dim = dims?.[i] ?? ''
    const isAsBefore =
      i > 0 &&
      dim === '' &&
      lengths[i] === lengths[i - 1] &&
      nbytes[i] === nbytes[i - 1] &&
      typeCodes[i] === typeCodes[i - 1] &&
      kinds[i] === kinds[i - 1] &&
      lastKey.endsWith(',')
    if (!isAsBefore) {
      lastKey = `${kinds[i]},${typeCodes[i]},${lengths[i]},${nbytes[i]},${dim}`
      last = known.get(lastKey) ?? describe(listed(all, i, dim, null))
      known.set(lastKey, last)
    }
    const length = nameLengths[i] as number
    each(length < 0 ? null : names.slice(at, at + length), i, last)
    at += Math.max(0, length)
  }
  return { ids, generations }
}

function listed(all: NativeListing, i: number, dim: string, name: string | null): Listed {
  return {
    name,
    id: all.ids[i] as number,
    generation: all.generations[i] as number,
    kind: KINDS[all.kinds[i] as number] as (typeof KINDS)[number],
    type: typeName(all.typeCodes[i] as number),
    length: all.lengths[i] as number,
    dim,
    nbytes: all.nbytes[i] as number,
  }
}

/** The committed objects of a store in the order of creation. */
export function* listing(store: Store): IterableIterator<Listed> {
  spaceOf(store).checkAccepting()
  const all = native.storeListing(spaceOf(store).handle)
  const dims = all.dims.split(',')
  let at = 0
  for (let i = 0; i < all.ids.length; i++) {
    const length = all.nameLengths[i] as number
    yield listed(all, i, dims[i] ?? '', length < 0 ? null : all.names.slice(at, at + length))
    at += Math.max(0, length)
  }
}

/** Every byte of the file, in order. */
export function* layout(store: Store): IterableIterator<Stretch> {
  spaceOf(store).checkAccepting()
  const all = native.storeLayout(spaceOf(store).handle)
  for (let i = 0; i < all.ids.length; i++) {
    yield {
      offset: all.offsets[i] as number,
      nbytes: all.nbytes[i] as number,
      use: all.names[all.uses[i] as number] as string,
      id: all.ids[i] as number,
    }
  }
}
