// A value of the goldens as a user of the package would write it: arguments become stored vectors with exactly their bits, subscripts
// what the API calls an index. NULL is the plain empty array: the API has no object for it.
import { doublesOf } from './bits.mjs'

const INT_NA = -2147483648

/** An argument could not be made; the cause says why. Not the refusal a case may expect. */
export class Unmade extends Error {}

/** Makes arguments in a store. */
export class Arguments {
  /** The arguments made for the current case, with the values they were made from. */
  made = []

  /** `fm` is the package; with `subarrays`, plain vectors start at an odd position of a longer one. */
  constructor(fm, store, { subarrays = false } = {}) {
    this.fm = fm
    this.store = store
    this.subarrays = subarrays
  }

  /** A stored object, or `[]` for NULL. */
  operand(value) {
    if (value.type === 'null') return []
    try {
      const object = this.#make(value)
      this.made.push({ object, value })
      return object
    } catch (cause) {
      throw new Unmade('', { cause })
    }
  }

  /** `isHeld`: it goes into a list, which holds no part of a vector. */
  #make(value, isHeld = false) {
    const { type, values, dim, dimnames, names } = value
    if (type === 'list') return this.#list(value)
    if (dim !== undefined) return this.#array(type, values, dim, dimnames)
    const isPart = this.subarrays && !isHeld
    const options = names === undefined ? {} : { names: isPart ? ['decoy', ...names] : names }
    if (!isPart) return this.store.vector(type, elements(type, values), options)
    return this.store.vector(type, elements(type, [DECOY[type], ...values]), options).subarray(1)
  }

  #array(type, values, dim, dimnames) {
    const options = { values: elements(type, values) }
    if (dimnames !== undefined) options.dimnames = dimnames.map(names => this.#names(names))
    if (dim.length === 2) return this.store.matrix(type, dim, options)
    return this.store.array(type, dim, options)
  }

  /** A missing name can only be given in a stored vector. */
  #names(names) {
    return names?.includes(null) ? this.store.vector('character', names) : names
  }

  #list({ values, names }) {
    const items = values.map(value => (value.type === 'null' ? null : this.#make(value, true)))
    return this.store.list(items, names === undefined ? {} : { names })
  }

  /**
   * A subscript: R's numbers through rIndex(), masks and names as plain arrays. The kind of an array is that of its elements, so one
   * with nothing but NA is given as a stored vector; so is a matrix, and what no subscript can be.
   */
  subscript(value) {
    const { type, values, dim } = value
    if (type === 'missing') return undefined
    if (type === 'null') return []
    if (type === 'integer' || type === 'numeric')
      return this.fm.rIndex(dim ? this.operand(value) : numbers(value))
    if (dim === undefined && (type === 'logical' || type === 'character') && values.some(x => x !== null)) {
      return values
    }
    return this.operand(value)
  }

  /** A subscript of `[[`: one position or name; R reads TRUE as 1. */
  single(value) {
    const { type, values } = value
    if (type === 'null') return this.fm.rIndex([])
    if (type === 'logical') return this.fm.rIndex(values.map(x => (x === null ? null : Number(x))))
    if (type === 'character' && values.length === 1 && values[0] !== null) return values[0]
    return this.subscript(value)
  }
}

/** An element that would be seen if it were read. */
const DECOY = {
  logical: true,
  integer: 77,
  numeric: '4053400000000000',
  complex: ['4053400000000000', '4053400000000000'],
  character: 'decoy',
  raw: 77,
}

/** Elements as a constructor takes them, bits kept. */
function elements(type, values) {
  switch (type) {
    case 'integer':
      return Int32Array.from(values, x => x ?? INT_NA)
    case 'numeric':
      return doublesOf(values)
    case 'complex':
      return doublesOf(values.flat())
    case 'raw':
      return Uint8Array.from(values)
    default:
      return values
  }
}

function numbers({ type, values }) {
  return type === 'integer' ? values : doublesOf(values)
}
