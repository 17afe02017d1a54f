/**
 * Reports over a whole store for the command line: the objects and the file's bytes, read from a few long arrays, so that a million objects
 * cost no million calls.
 */
import { dtypeOf } from './dtype.js'
import { quietly } from './errors.js'
import { eachText } from './names.js'
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

/** The committed objects of a store in the order of creation, as columns. */
export interface Columns extends Omit<NativeListing, 'dimRows' | 'dims'> {
  /** Extents as "2x3" of the objects that have some. */
  readonly dims: ReadonlyMap<number, string>
}

/** Reads the catalog. */
export function columns(store: Store): Columns {
  spaceOf(store).checkAccepting()
  const { dimRows, dims: text, ...all } = native.storeListing(spaceOf(store).handle)
  const extents = text.split(',')
  return { ...all, dims: new Map(Array.from(dimRows, (i, k) => [i, extents[k] as string])) }
}

/** Object `i`. */
export function listed(all: Columns, i: number, name: string | null): Listed {
  return {
    name,
    id: all.ids[i] as number,
    generation: all.generations[i] as number,
    kind: KINDS[all.kinds[i] as number] as (typeof KINDS)[number],
    type: typeName(all.typeCodes[i] as number),
    length: all.lengths[i] as number,
    dim: all.dims.get(i) ?? '',
    nbytes: all.nbytes[i] as number,
  }
}

/** The committed objects of a store in the order of creation. */
export function* listing(store: Store): IterableIterator<Listed> {
  const all = columns(store)
  let i = 0
  for (const name of eachText(all.names)) yield listed(all, i++, name)
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
