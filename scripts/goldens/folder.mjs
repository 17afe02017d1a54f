// A folder of goldens: every `.jsonl`, one case a line. What is no case by the format's README becomes a case that says so, and fails:
// nothing in a file is passed over.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The files of a folder, in order: `{ file, cases }`. A case that cannot be read has `malformed`, the reason. */
export function readFolder(folder) {
  const files = readdirSync(folder).filter(name => name.endsWith('.jsonl'))
  return files
    .sort()
    .map(name => ({ file: name, cases: readCases(readFileSync(join(folder, name), 'utf8'), name) }))
}

/** The cases of one file's text. */
export function readCases(text, file) {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line, i) => readCase(line, file.replace(/\.jsonl$/, ''), `${file}:${i + 1}`))
}

function readCase(line, group, place) {
  let golden
  try {
    golden = JSON.parse(line)
  } catch (e) {
    return { id: place, group, op: '?', malformed: e.message }
  }
  const malformed = faultOf(golden)
  if (malformed === undefined) return golden
  return {
    id: String(golden?.id ?? place),
    group,
    op: String(golden?.op ?? '?'),
    malformed: `${place}: ${malformed}`,
  }
}

const isText = x => typeof x === 'string'
const isTexts = x => Array.isArray(x) && x.every(isText)

/** What is wrong with a case, or undefined. */
function faultOf(golden) {
  if (typeof golden !== 'object' || golden === null || Array.isArray(golden)) return 'not an object'
  const { id, group, op, args, params, warn, error, alt } = golden
  if (![id, group, op].every(isText)) return 'id, group and op must be text'
  if (!Array.isArray(args)) return 'args must be a list'
  if (typeof params !== 'object' || params === null) return 'params must be an object'
  if (!isTexts(warn) || typeof error !== 'boolean') return 'warn must be a list of text, error true or false'
  const outcomes = [golden, ...(alt ?? [])]
  for (const value of [...args, ...outcomes.filter(o => !o.error).map(o => o.expect)]) {
    const fault = valueFault(value)
    if (fault !== undefined) return fault
  }
  return undefined
}

const HEX = /^[0-9a-f]{16}$/
const isHex = x => isText(x) && HEX.test(x)
const ELEMENTS = {
  logical: x => x === null || typeof x === 'boolean',
  integer: x => x === null || (Number.isInteger(x) && Math.abs(x) < 2 ** 31),
  numeric: isHex,
  complex: x => Array.isArray(x) && x.length === 2 && x.every(isHex),
  character: x => x === null || isText(x),
  raw: x => Number.isInteger(x) && x >= 0 && x <= 255,
  list: x => valueFault(x) === undefined,
}

function valueFault(value) {
  const type = value?.type
  if (type === 'null' || type === 'missing') return undefined
  const isElement = Object.hasOwn(ELEMENTS, type ?? '') ? ELEMENTS[type] : undefined
  if (isElement === undefined) return `no such type: ${JSON.stringify(type)}`
  if (!Array.isArray(value.values) || !value.values.every(isElement)) return `values that are not ${type}`
  return undefined
}
