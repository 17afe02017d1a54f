// Every operation of the goldens as a call of the package. An entry takes a `Call` and the case's arguments and returns `{ object }`
// (a stored object, or null) or `{ scalars, type? }`. What the package lacks counts as skipped.

/** The package has no such method or function (yet). Never a pass, never a failure. */
export class Missing extends Error {}

/** One style of calling: a method where the receiver has it, else the free function; or the other way round. */
export class Call {
  /** `write` makes arguments; `free` prefers free functions to methods. */
  constructor(fm, write, free) {
    this.fm = fm
    this.write = write
    this.free = free
  }

  /** `x.name(...rest)` or `name(x, ...rest)`. */
  apply(name, x, ...rest) {
    const method = Array.isArray(x) ? undefined : x[name]
    const preferred = this.free ? (this.fm[name] ?? method) : (method ?? this.fm[name])
    if (typeof preferred !== 'function') throw new Missing(`no ${name}() in the package`)
    return preferred === method ? method.call(x, ...rest) : preferred(x, ...rest)
  }

  /** `x.name(...rest)` of something only a class has. */
  method(name, x, ...rest) {
    if (typeof x[name] !== 'function') {
      const what = Array.isArray(x) ? 'NULL' : (x.constructor?.name ?? typeof x)
      throw new Missing(`${what} has no ${name}()`)
    }
    return x[name](...rest)
  }
}

// ---- one operand or two

const binary = name => (call, args) => {
  const [x, y] = args.map(arg => call.write.operand(arg))
  return { object: call.apply(name, x, y) }
}

const unary =
  name =>
  (call, [x]) => ({ object: call.apply(name, call.write.operand(x)) })

/** One operand, or two with a second that has a default. */
const either = name => (call, args) => {
  const [x, ...rest] = args.map(arg => call.write.operand(arg))
  return { object: call.apply(name, x, ...rest) }
}

/** R's unary plus has no method: two changes of sign are exactly it, for every type that has one. */
function plus(call, [x]) {
  return { object: call.apply('neg', call.apply('neg', call.write.operand(x))) }
}

// ---- summaries, margins

const naRm = ({ 'na.rm': flag }) => (flag === undefined ? {} : { naRm: flag })

const summary = name => (call, args, params) => {
  const operands = args.map(arg => call.write.operand(arg))
  const options = naRm(params)
  // A method has one receiver: several operands, or none, are the free function's.
  const result =
    operands.length === 1
      ? call.apply(name, operands[0], options)
      : freeSummary(call, name, operands, options)
  return { scalars: name === 'range' ? [...result] : [result] }
}

function freeSummary(call, name, operands, options) {
  if (typeof call.fm[name] !== 'function') throw new Missing(`no ${name}() in the package`)
  return call.fm[name](...operands, options)
}

const margin =
  name =>
  (call, [x], params) => {
    const options = naRm(params)
    if (params.dims !== undefined) options.dims = params.dims
    return { object: call.apply(name, call.write.operand(x), options) }
  }

// ---- subscripts

function subset(call, [x, ...indices], { drop }) {
  const object = call.write.operand(x)
  const subscripts = indices.map(index => call.write.subscript(index))
  if (isByDimension(x, indices)) {
    return { object: call.method('subset', object, subscripts, drop === undefined ? {} : { drop }) }
  }
  return { object: call.method('select', object, subscripts[0]) }
}

/** One subscript for each dimension; a single one of an array is that of a vector, or a matrix of cells. */
function isByDimension({ dim }, indices) {
  if (indices.length > 1) return true
  return dim?.length === 1 && indices[0].dim === undefined
}

function element(call, [x, ...indices]) {
  // Nothing has methods but an object; NULL is asked by the function.
  if (call.free || x.type === 'null') {
    const got = call.fm.element(call.write.operand(x), ...indices.map(index => call.write.single(index)))
    return ['list', 'null'].includes(x.type) ? { object: got } : { scalars: [got], type: x.type }
  }
  const object = call.write.operand(x)
  const subscripts = indices.map(index => call.write.single(index))
  const isCell = indices.length > 1 && x.dim?.length !== 2
  const got = isCell ? call.method('cell', object, subscripts) : call.method('get', object, ...subscripts)
  return x.type === 'list' ? { object: got } : { scalars: [got], type: object.type }
}

function assign(call, [x, ...rest]) {
  const object = x.type === 'null' ? call.write.store.from([]) : call.write.operand(x)
  const values = call.write.operand(rest.at(-1))
  const indices = rest.slice(0, -1).map(index => call.write.subscript(index))
  if (indices.length === 1) return { object: call.method('replace', object, indices[0], values) }
  return { object: call.method('replaceAt', object, indices, values) }
}

// ---- conversion

const convert =
  type =>
  (call, [x]) => {
    const object = x.type === 'null' ? call.write.store.from([]) : call.write.operand(x)
    return { object: call.method('as', object, type) }
  }

function combine(call, args) {
  return { object: call.fm.combine(...args.map(arg => call.write.operand(arg))) }
}

const table = (make, names) => Object.fromEntries(names.split(/\s+/).map(name => [name, make(name)]))

/** The package's names of R's operators. */
const OPERATORS = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '/': 'div',
  '^': 'pow',
  '%%': 'mod',
  '%/%': 'idiv',
  '==': 'eq',
  '!=': 'ne',
  '<': 'lt',
  '<=': 'le',
  '>': 'gt',
  '>=': 'ge',
  '&': 'and',
  '|': 'or',
  xor: 'xor',
  '%*%': 'matmul',
}

/** By the `op` of a case. */
export const OPERATIONS = {
  ...Object.fromEntries(Object.entries(OPERATORS).map(([op, name]) => [op, binary(name)])),
  neg: unary('neg'),
  pos: plus,
  '!': unary('not'),
  ...table(
    unary,
    `abs sign sqrt floor ceiling trunc exp expm1 log1p log2 log10 cos sin tan cospi sinpi tanpi acos asin atan cosh sinh tanh
    acosh asinh atanh gamma lgamma digamma trigamma cumsum cumprod cummax cummin`,
  ),
  ...table(either, 'log round signif atan2 crossprod tcrossprod'),
  ...table(summary, 'sum prod max min range all any mean'),
  ...table(margin, 'rowSums colSums rowMeans colMeans'),
  '[': subset,
  '[[': element,
  '[<-': assign,
  ...Object.fromEntries(
    ['logical', 'integer', 'numeric', 'complex', 'character', 'raw'].map(type => [
      `as.${type}`,
      convert(type),
    ]),
  ),
  c: combine,
}
