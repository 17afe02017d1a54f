// Whether two values in the goldens' form are the same, by the rules of the format's README, "Comparing results". Both sides are plain
// objects `{ type, values, dim?, dimnames?, names? }`; an absent attribute is an absent field. Pure functions; what they return is the
// first difference in words, or nothing.
import { decimal, isNaNHex, toDouble, ulp } from './bits.mjs'

/** The first difference between what came and what was expected, or undefined. `rules` has the case's `tol` and `na_nan_either`. */
export function difference(got, want, rules = {}) {
  if (got.type !== want.type) return `type ${got.type}, expected ${want.type}`
  if (want.type === 'null') return undefined
  for (const key of ['dim', 'dimnames', 'names']) {
    const [had, wanted] = [JSON.stringify(got[key]), JSON.stringify(want[key])]
    if (had !== wanted) return `${key} ${had ?? 'none'}, expected ${wanted ?? 'none'}`
  }
  if (got.values.length !== want.values.length) {
    return `${got.values.length} elements, expected ${want.values.length}`
  }
  const sameAs = elementRule(want.type, rules)
  for (let i = 0; i < want.values.length; i++) {
    if (want.type === 'list') {
      const inner = difference(got.values[i], want.values[i], rules)
      if (inner !== undefined) return `element ${i}: ${inner}`
    } else if (!sameAs(got.values[i], want.values[i])) {
      return `element ${i} is ${spell(want.type, got.values[i])}, expected ${spell(want.type, want.values[i])}`
    }
  }
  return undefined
}

function elementRule(type, { tol, na_nan_either: either = false }) {
  if (type === 'numeric') return (got, want) => sameNumber(got, want, tol, either)
  if (type === 'complex') return (got, want) => sameComplex(got, want, tol, either)
  return (got, want) => got === want
}

function sameNumber(got, want, tol, either) {
  if (got === want || (either && isNaNHex(got) && isNaNHex(want))) return true
  if (tol === undefined || isNaNHex(got) || isNaNHex(want)) return false
  const [g, w] = [toDouble(got), toDouble(want)]
  if (!Number.isFinite(g) || !Number.isFinite(w)) return false
  const apart = Math.abs(g - w)
  return apart === 0 || apart <= (tol.ulp ?? 0) * ulp(w) || apart <= (tol.abs ?? 0)
}

function sameComplex(got, want, tol, either) {
  if (either && got.some(isNaNHex) && want.some(isNaNHex)) return true
  const parts = [...got, ...want]
  if (tol === undefined || !parts.every(hex => Number.isFinite(toDouble(hex)))) {
    return got.every((hex, k) => sameNumber(hex, want[k], tol, false))
  }
  // Scaled where the modulus of two large parts would leave the range of double.
  const scale = parts.some(hex => Math.abs(toDouble(hex)) > 2 ** 1000) ? 2 ** -100 : 1
  const [gr, gi, wr, wi] = parts.map(hex => toDouble(hex) * scale)
  const apart = Math.hypot(gr - wr, gi - wi)
  const allowed = (tol.ulp ?? 0) * 2 ** -52 * Math.hypot(wr, wi)
  return apart === 0 || apart <= allowed || apart <= (tol.abs ?? 0) * scale
}

function spell(type, element) {
  if (type === 'numeric') return `${decimal(element)} (${element})`
  if (type === 'complex') return `${decimal(element[0])}, ${decimal(element[1])} (${element.join(', ')})`
  return element === null ? 'NA' : JSON.stringify(element)
}

/** A short form of a value, for messages. */
export function brief(value) {
  if (value.type === 'null' || value.type === 'missing') return value.type
  const shown = value.values.slice(0, 6).map(element => {
    if (value.type === 'list') return brief(element)
    if (value.type === 'numeric') return decimal(element)
    if (value.type === 'complex') return `(${element.map(decimal).join(', ')})`
    return element === null ? 'NA' : JSON.stringify(element)
  })
  const more = value.values.length > shown.length ? `, … ${value.values.length}` : ''
  const attributes = ['dim', 'dimnames', 'names'].filter(key => value[key] !== undefined)
  const tail = attributes.map(key => ` ${key} ${JSON.stringify(value[key])}`).join('')
  return `${value.type}[${shown.join(', ')}${more}]${tail}`
}
