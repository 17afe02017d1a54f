// Planted errors: for a case, every way in which its expectation can be made wrong, one at a time. What was right before must fail then; a
// comparison that lets one of them through would let a wrong result of the package through, too. Pure functions.
import { hexOf, isNaNHex, NA, NAN, toDouble, ulp } from './bits.mjs'

/** The wrong versions of a case: `{ what, golden }`. Alternatives are dropped, since one of them may be what the error makes. */
export function corruptions(golden) {
  const { alt: _alt, ...plain } = golden
  const wrong = [
    { what: 'error', golden: { ...plain, ...(plain.error ? SUCCESS : REFUSAL) } },
    { what: 'warning too many', golden: { ...plain, warn: [...plain.warn, 'planted'] } },
  ]
  if (plain.warn.length > 0)
    wrong.push({ what: 'warning too few', golden: { ...plain, warn: plain.warn.slice(1) } })
  if (plain.error) return wrong
  const values = wrongValues(plain.expect, plain)
  return [...wrong, ...values.map(({ what, value }) => ({ what, golden: { ...plain, expect: value } }))]
}

const SUCCESS = { error: false, expect: { type: 'logical', values: [true] } }
const REFUSAL = { error: true, expect: null, error_kind: 'planted' }

/** The wrong versions of a value. */
function wrongValues(value, rules) {
  if (value.type === 'null') return [{ what: 'type', value: { type: 'logical', values: [] } }]
  const { type, values } = value
  const wrong = [
    { what: 'type', value: { ...value, type: OTHER[type], values: values.map(() => FILLER[OTHER[type]]) } },
    { what: 'one element more', value: { ...value, values: [...values, FILLER[type]] } },
    ...wrongAttributes(value),
  ]
  if (values.length === 0) return wrong
  wrong.push({ what: 'one element less', value: { ...value, values: values.slice(0, -1) } })
  const last = values.length - 1
  for (const at of new Set([0, last >> 1, last])) {
    for (const { what, element } of wrongElements(type, values[at], rules)) {
      wrong.push({ what, value: { ...value, values: values.with(at, element) } })
    }
  }
  return wrong
}

const OTHER = {
  logical: 'character',
  integer: 'character',
  numeric: 'character',
  complex: 'character',
  raw: 'character',
  character: 'logical',
  list: 'character',
}
const FILLER = {
  logical: true,
  integer: 1,
  numeric: '3ff0000000000000',
  complex: ['3ff0000000000000', '0000000000000000'],
  raw: 1,
  character: 'planted',
  list: { type: 'null' },
}

function wrongAttributes({ values, ...value }) {
  const { dim, dimnames, names } = value
  const without = key => ({ ...Object.fromEntries(Object.entries(value).filter(([k]) => k !== key)), values })
  const planted = values.map(() => 'planted')
  if (dim === undefined) {
    const other = [{ what: 'dim added', value: { ...without('names'), dim: [values.length] } }]
    if (names === undefined)
      return [...other, { what: 'names added', value: { ...value, values, names: planted } }]
    return [
      ...other,
      { what: 'names lost', value: without('names') },
      ...(names.length > 0
        ? [{ what: 'a name', value: { ...value, values, names: ['planted', ...names.slice(1)] } }]
        : []),
    ]
  }
  const wrong = [
    { what: 'dim lost', value: without('dim') },
    { what: 'dim', value: { ...value, values, dim: [...dim, 1] } },
  ]
  if (dimnames === undefined) {
    const added = dim.map(extent => Array.from({ length: extent }, () => 'planted'))
    return [...wrong, { what: 'dimnames added', value: { ...value, values, dimnames: added } }]
  }
  return [...wrong, { what: 'dimnames lost', value: without('dimnames') }]
}

/** The wrong versions of one element; none that the case's tolerance allows. */
function wrongElements(type, element, rules) {
  switch (type) {
    case 'logical':
      return [null, element !== true].map(other => ({
        what: 'element',
        element: element === other ? true : other,
      }))
    case 'integer':
      return [{ what: 'element', element: element === null ? 0 : element === 7 ? 8 : 7 }]
    case 'raw':
      return [{ what: 'element', element: element ^ 1 }]
    case 'character':
      return [{ what: 'element', element: element === null ? 'NA' : `${element} ` }]
    case 'numeric':
      return wrongNumbers(element, rules)
    case 'complex':
      return wrongComplex(element, rules)
    default:
      return wrongValues(element, rules).map(({ what, value }) => ({
        what: `element's ${what}`,
        element: value,
      }))
  }
}

function wrongNumbers(hex, { tol, na_nan_either: either = false }) {
  if (isNaNHex(hex)) {
    const wrong = [{ what: 'NaN for a number', element: '0000000000000000' }]
    if (!either) wrong.push({ what: 'NA and NaN', element: hex === NA ? NAN : NA })
    return wrong
  }
  const x = toDouble(hex)
  const wrong = [{ what: 'a number for NA', element: NA }]
  if (!Number.isFinite(x)) return [...wrong, { what: 'infinity', element: hexOf(-x) }]
  if (tol === undefined && x === 0) wrong.push({ what: 'sign of zero', element: hexOf(-x) })
  const step = beyond(x, tol)
  if (Number.isFinite(x + step))
    wrong.push({ what: tol ? 'beyond tolerance' : 'last bit', element: hexOf(x + step) })
  return wrong
}

/** A distance from x that is no longer the same number. */
function beyond(x, tol) {
  if (tol === undefined) return ulp(x)
  return 2 * Math.max((tol.ulp ?? 0) * ulp(x), tol.abs ?? 0) + 2 * ulp(x)
}

function wrongComplex([re, im], { tol, na_nan_either: either = false }) {
  if (isNaNHex(re) || isNaNHex(im)) {
    const wrong = [{ what: 'NaN for a number', element: ['0000000000000000', '0000000000000000'] }]
    // A complex scalar is null where either part is NA: which part it is cannot be seen.
    const other = re === NA || im === NA ? [NAN, NAN] : [NA, im]
    if (!either) wrong.push({ what: 'NA and NaN', element: other })
    return wrong
  }
  const parts = [toDouble(re), toDouble(im)]
  const wrong = [{ what: 'a number for NA', element: [NA, im] }]
  if (tol === undefined || !parts.every(Number.isFinite)) {
    return [
      ...wrong,
      ...wrongNumbers(re, { tol }).map(({ what, element }) => ({ what, element: [element, im] })),
    ]
  }
  const modulus = Math.hypot(...parts)
  const step = 2 * Math.max((tol.ulp ?? 0) * 2 ** -52 * modulus, tol.abs ?? 0) + 2 * ulp(parts[0])
  if (!Number.isFinite(step)) return wrong
  return [...wrong, { what: 'beyond tolerance', element: [hexOf(parts[0] + step), im] }]
}
