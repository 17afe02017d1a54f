// A package that answers every call with what one golden case expects: for tests of the goldens' runner, which must neither pass a wrong
// answer nor stumble over the shape of a right one. It has the names of the real package, stores nothing and computes nothing.
import { doublesOf } from '../../scripts/goldens/bits.mjs'

/** An error of the package. */
export class Refused extends Error {
  constructor(code, kind) {
    super('refused as told')
    this.code = `ERR_FMALLOC_${code}`
    this.details = { kind }
  }
}

/** An object with the fields of a stored one, from a value of the goldens. */
class Replayed {
  constructor(value) {
    this.value = value
    this.type = value.type
    this.dim = value.dim ?? null
    this.dimnames = value.dimnames ?? null
    this.names = value.names ?? null
    this.state = 'temporary'
  }
  keep() {
    this.state = 'committed'
    return this
  }
  view() {
    const { type, values } = this.value
    if (type === 'numeric') return doublesOf(values)
    if (type === 'complex') return doublesOf(values.flat())
    if (type === 'raw') return Uint8Array.from(values)
    return Int32Array.from(values, x => (x === null ? -2147483648 : Number(x)))
  }
  toArray() {
    return [...this.value.values]
  }
  *[Symbol.iterator]() {
    for (const item of this.value.values)
      yield item === null || item.type === 'null' ? null : new Replayed(item)
  }
}

/** A scalar as the package returns it. */
function scalar(type, element) {
  if (type === 'numeric') return element === '7ff00000000007a2' ? null : doublesOf([element])[0]
  if (type !== 'complex') return element
  return element.includes('7ff00000000007a2')
    ? null
    : { re: doublesOf(element)[0], im: doublesOf(element)[1] }
}

const VECTOR =
  `add sub mul div pow mod idiv eq ne lt le gt ge and or xor neg not abs sign sqrt floor ceiling trunc exp expm1 log1p log2 log10 cos sin
  tan cospi sinpi tanpi acos asin atan cosh sinh tanh acosh asinh atanh gamma lgamma digamma trigamma cumsum cumprod cummax cummin log round
  signif atan2 sum prod max min range all any mean get select replace as`.split(/\s+/)
const ARRAY = 'rowSums colSums rowMeans colMeans cell subset replaceAt matmul crossprod tcrossprod'.split(' ')
/** What only classes have. */
const METHODS = new Set('get select replace as cell subset replaceAt'.split(' '))
const FREE = [...VECTOR, ...ARRAY, 'combine', 'element'].filter(name => !METHODS.has(name))
const SCALAR = new Set('sum prod max min range all any mean get cell'.split(' '))

/** The package. `calls` receives the name of every call; `instead` runs before the answer is given, and may throw another one. */
export function replay(golden, calls = [], instead = () => {}) {
  let raised = []
  const result = (name, receiver) => {
    calls.push(name)
    instead(receiver)
    raised.push(...golden.warn)
    if (golden.error) throw new Refused('ARGUMENT', golden.error_kind)
    const { expect } = golden
    if (golden.op === '[[' && !['list', 'null'].includes(golden.args[0].type))
      return scalar(expect.type, expect.values[0])
    if (!SCALAR.has(name) || golden.op === '[[') return expect.type === 'null' ? null : make(expect)
    const scalars = expect.values.map(element => scalar(expect.type, element))
    return name === 'range' ? scalars : scalars[0]
  }
  const make = value => {
    const object = new Replayed(value)
    for (const name of value.dim === undefined ? VECTOR : [...VECTOR, ...ARRAY]) {
      Object.defineProperty(object, name, { value: () => result(name, object) })
    }
    object.subarray = start => {
      const names = value.names && { names: value.names.slice(start) }
      return make({ ...value, values: value.values.slice(start), ...names })
    }
    return object
  }
  const plain = (type, values) => {
    const bits =
      values instanceof Float64Array ? hexes(values) : Array.from(values, x => (x === -2147483648 ? null : x))
    return type === 'complex' ? pairs(bits) : bits
  }
  const array = (type, dim, { values, dimnames }) => {
    const names = dimnames?.map(entry => (entry instanceof Replayed ? entry.toArray() : entry))
    return make({ type, values: plain(type, values), dim, ...(names && { dimnames: names }) })
  }
  const store = {
    vector: (type, values, o = {}) =>
      make({ type, values: plain(type, values), ...(o.names && { names: o.names }) }),
    matrix: array,
    array,
    list: (items, o = {}) =>
      make({
        type: 'list',
        values: items.map(x => x?.value ?? { type: 'null' }),
        ...(o.names && { names: o.names }),
      }),
    from: values => make({ type: 'logical', values }),
    reset: () => {},
    close: () => {},
  }
  return {
    openFmalloc: () => store,
    fmallocOptions: () => ({}),
    isFmallocError: (e, code) => e instanceof Refused && (code === undefined || e.code === code),
    rIndex: subscript => ({ rIndex: true, subscript }),
    captureWarnings: fn => {
      raised = []
      const value = fn()
      return { value, warnings: [...new Set(raised)].map(code => ({ code })) }
    },
    ...Object.fromEntries(FREE.map(name => [name, () => result(name)])),
  }
}

function hexes(view) {
  return Array.from(new BigUint64Array(view.buffer), bits => bits.toString(16).padStart(16, '0'))
}

function pairs(bits) {
  return Array.from({ length: bits.length / 2 }, (_, i) => bits.slice(2 * i, 2 * i + 2))
}
