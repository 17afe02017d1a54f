/**
 * The commands that look at one object or at the store as a whole: info, head, verify.
 */
import type { DataFrame } from '../frame.js'
import { isFrame } from '../frame.js'
import { isList } from '../list.js'
import { fail } from '../errors.js'
import type { Matrix } from '../matrix.js'
import type { Store } from '../store.js'
import type { Stored } from '../types.js'
import type { Vector } from '../vector.js'
import type { Given, Spec } from './arguments.js'
import { EXIT, JSON_HELP, plain, progressLine, size, table, write, writeLines } from './output.js'

export const INFO: Spec = {
  args: ['STORE', '[NAME]'],
  options: {},
  help: `says what a store, or one object of it, is
${JSON_HELP}`,
}

export async function info(store: Store, given: Given): Promise<number> {
  const name = given.args[1]
  const facts = name === undefined ? storeFacts(store) : objectFacts(wanted(store, name))
  if (given.json) await write(JSON.stringify(facts) + '\n')
  else {
    const rows = Object.entries(facts).map(([key, value]) => [key, shown(key, value)])
    const width = Math.max(...rows.map(([key]) => (key as string).length))
    await writeLines(rows.map(([key, value]) => `${(key as string).padEnd(width)}  ${value}`))
  }
  return EXIT.done
}

function shown(key: string, value: unknown): string {
  if (/bytes$/i.test(key) && typeof value === 'number') return `${size(value)} (${value})`
  return plain(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

function storeFacts(store: Store): Record<string, unknown> {
  const { summary } = store.diagnose()
  const numbers = ['liveBytes', 'retiredBytes', 'freeBytes', 'largestGapBytes', 'metadataBytes']
  return {
    path: store.path,
    uuid: store.uuid,
    bytes: store.nbytes,
    named: store.size,
    unnamed: summary['unnamedRecords'],
    damaged: summary['damagedRecords'],
    ...Object.fromEntries(numbers.map(key => [key, summary[key]])),
    cleanlyClosed: summary['cleanAtOpen'] === 1,
  }
}

/** The object of this name, or of this reference as ls prints it. Throws NOT_FOUND. */
export function wanted(store: Store, name: string): Stored {
  return store.get(name) ?? fail('NOT_FOUND', `no object named '${name}' in ${store.path}`, { name })
}

function objectFacts(object: Stored): Record<string, unknown> {
  const { id, generation } = object.ref
  const common = { name: object.name, kind: object.kind, id, generation }
  if (isFrame(object)) {
    const columns = object.columnNames.map(name => [name, object.column(name).type])
    return { ...common, rows: object.nrow, columns: Object.fromEntries(columns) }
  }
  if (isList(object)) return { ...common, length: object.length, names: object.names?.toArray() ?? null }
  const vector = object as Vector
  return {
    ...common,
    type: vector.type,
    length: vector.length,
    dim: vector.dim,
    bytes: vector.nbytes,
    named: vector.names !== null,
  }
}

export const HEAD: Spec = {
  args: ['STORE', 'NAME'],
  options: { lines: { type: 'string', short: 'n' } },
  help: `shows the first elements of a vector, rows of a matrix or frame, cells of a list
  -n, --lines N  how many; default 6
${JSON_HELP}`,
}

export async function head(store: Store, given: Given): Promise<number> {
  const object = wanted(store, given.args[1] as string)
  const n = given.count('lines') ?? 6
  if (given.json) {
    await write(JSON.stringify(firstValues(object, n)) + '\n')
    return EXIT.done
  }
  const { header, rows } = firstRows(object, n)
  await writeLines(
    table(header, rows, isFrame(object) || object.kind === 'matrix' ? header.map((_, k) => k) : []),
  )
  return EXIT.done
}

/** For JSON: plain values; rows of a frame are objects, those of a matrix arrays. */
function firstValues(object: Stored, n: number): unknown {
  if (isFrame(object)) return object.head(n)
  if (isList(object)) return cells(object, n).map(String)
  if (object.kind === 'matrix') return matrixRows(object as Vector as Matrix, n)
  return elements(object as Vector, n)
}

function cells(list: Stored & { get(i: number): unknown }, n: number): unknown[] {
  const { length } = list as unknown as { length: number }
  return Array.from({ length: Math.min(n, length) }, (_, i) => list.get(i))
}

function elements(vector: Vector, n: number): unknown[] {
  return Array.from({ length: Math.min(n, vector.length) }, (_, i) => vector.get(i))
}

function matrixRows(m: Matrix, n: number): unknown[][] {
  const [rows = 0, columns = 0] = m.dim ?? []
  return Array.from({ length: Math.min(n, rows) }, (_, i) =>
    Array.from({ length: columns }, (_, j) => m.get(i, j)),
  )
}

function firstRows(object: Stored, n: number): { header: string[]; rows: string[][] } {
  if (isFrame(object)) {
    const names = object.columnNames
    const rows = object.head(n).map(row => names.map(name => value((row as Record<string, unknown>)[name])))
    return numbered(names.map(plain), rows)
  }
  if (isList(object))
    return numbered(
      ['cell'],
      cells(object, n).map(cell => [plain(String(cell))]),
    )
  if (object.kind === 'matrix') {
    const rows = matrixRows(object as Vector as Matrix, n)
    const [, columns = 0] = (object as Vector).dim ?? []
    return numbered(
      Array.from({ length: columns }, (_, j) => `[,${j}]`),
      rows.map(row => row.map(value)),
    )
  }
  return numbered(
    ['value'],
    elements(object as Vector, n).map(x => [value(x)]),
  )
}

function numbered(header: string[], rows: string[][]): { header: string[]; rows: string[][] } {
  return { header: ['', ...header], rows: rows.map((row, i) => [String(i), ...row]) }
}

function value(x: unknown): string {
  if (x === null || x === undefined) return 'NA'
  if (typeof x !== 'object') return plain(String(x))
  const { re, im } = x as { re: number; im: number }
  return `${re}${im < 0 || Object.is(im, -0) ? '-' : '+'}${Math.abs(im)}i`
}

export const VERIFY: Spec = {
  args: ['STORE'],
  options: { payloads: { type: 'boolean' } },
  help: `checks everything there is and names every fault; exit code 6 if there is one
  --payloads     also the elements of sealed vectors against their checksums, and all text
${JSON_HELP}`,
}

export async function verify(store: Store, given: Given, signal: AbortSignal): Promise<number> {
  const { onProgress, end } = progressLine('verify')
  const report = await store
    .verifyAsync({ payloads: given.flag('payloads'), signal, ...(onProgress && { onProgress }) })
    .finally(end)
  if (given.json) await write(JSON.stringify(report) + '\n')
  else if (report.ok) await write(`${plain(store.path)}: no fault\n`)
  else {
    const rows = report.faults.map(f => [
      f.where,
      String(f.offset),
      f.id === null ? '' : String(f.id),
      plain(f.what),
    ])
    await writeLines(table(['where', 'offset', 'object', 'fault'], rows, [1, 2]))
  }
  return report.ok ? EXIT.done : EXIT.damaged
}

/** The frame of this name; TYPE if it is none. */
export function wantedFrame(store: Store, name: string): DataFrame {
  const found = wanted(store, name)
  return isFrame(found) ? found : fail('TYPE', `'${name}' is no data frame`, { name })
}
