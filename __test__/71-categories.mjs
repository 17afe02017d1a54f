// Categories cross three languages: R's names in the goldens, bits and texts in the core, unions in TypeScript. One that is spelt otherwise
// anywhere is a warning that nobody sees, or an error that no program can tell. Read from the sources: types leave nothing to run.

import fs from 'node:fs'
import test from 'ava'
import { NOTES, warnMask } from '../dist/src/warnings.js'
import { captureWarnings } from '../dist/index.js'

const source = path => fs.readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

/** The members of a union of string literals. */
function union(path, name) {
  const [, body] = new RegExp(`export type ${name} =([^\\n]*\\n(?:  \\|[^\\n]*\\n)*)`).exec(source(path))
  return [...body.matchAll(/'([^']+)'/g)].map(([, member]) => member)
}

/** As the format of the goldens lists them. */
const WARNINGS =
  `recycle-remainder integer-overflow na-coercion nan-produced integer-range imaginary-discarded raw-range logical-coercion empty-extremum
  not-numeric assign-remainder precision-loss length1-array-recycle`.split(/\s+/)
const ERRORS =
  `non-numeric bad-type complex-unsupported non-conformable dim-mismatch bad-dims bad-shape bad-argument bad-subscript out-of-bounds mixed-signs
  subscript-too-long wrong-dims no-dimnames empty-replacement na-subscript assign-length empty-extremum`.split(
    /\s+/,
  )
/** Of stores and options, unknown to R's vectors. */
const OWN_WARNINGS = ['already-initialized', 'bad-option', 'discarded-on-recovery']

test('the categories of warnings are those of the goldens and our own', t => {
  t.deepEqual(union('src/warnings.ts', 'WarningCode').sort(), [...WARNINGS, ...OWN_WARNINGS].sort())
})

test('the categories of errors are those of the goldens', t => {
  t.deepEqual(union('src/errors.ts', 'FmallocErrorKind').sort(), [...ERRORS].sort())
})

test('every bit of a mask is one category, with a message', t => {
  for (const [name, bit] of Object.entries(NOTES)) {
    const { warnings } = captureWarnings(() => warnMask(bit, 'test'))
    const code = name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
    t.deepEqual(
      warnings.map(warning => warning.code),
      [code],
    )
    t.true(WARNINGS.includes(code), code)
    t.not(warnings[0].message, '')
  }
  const bits = Object.values(NOTES)
  t.is(new Set(bits).size, WARNINGS.length)
  t.true(bits.every(bit => Number.isInteger(Math.log2(bit))))
  const all = bits.reduce((mask, bit) => mask | bit, 0)
  const { warnings } = captureWarnings(() => warnMask(all, 'test'))
  t.is(warnings.length, WARNINGS.length)
})

test("the core's bits are the facade's", t => {
  const [, body] = /impl Warnings \{([\s\S]*?)\n\}/.exec(source('crates/rfmalloc-core/src/convert.rs'))
  const bits = [...body.matchAll(/pub const ([A-Z0-9_]+): Self = Self\((\d+)\);/g)]
  t.true(bits.length >= 4)
  for (const [, name, bit] of bits) {
    const key = name.toLowerCase().replace(/_(.)/g, (_, letter) => letter.toUpperCase())
    t.is(NOTES[key], Number(bit), name)
  }
})

test("every code of the core is in the facade's union, spelt the same", t => {
  const codes = [
    ...source('crates/rfmalloc-core/src/error.rs').matchAll(/=> c?"ERR_FMALLOC_([A-Z_]+)"/g),
  ].map(m => m[1])
  t.true(codes.length >= 27)
  const [, text] = /export type FmallocErrorCode = `ERR_FMALLOC_\$\{([\s\S]*?)\}`/.exec(
    source('src/errors.ts'),
  )
  const members = new Set([...text.matchAll(/'([A-Z_]+)'/g)].map(m => m[1]))
  t.deepEqual(
    codes.filter(code => !members.has(code)),
    [],
  )
})
