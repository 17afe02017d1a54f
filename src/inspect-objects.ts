/**
 * What the console prints of lists (one line) and data frames (a small table); never throws.
 */
import { basename } from 'node:path'
import { quietly } from './errors.js'
import { handleOf } from './facade.js'
import { columnsOf, isFrame, type DataFrame } from './frame.js'
import type { Handle } from './handle.js'
import { element, summarize } from './inspect.js'
import { isList, type List } from './list.js'
import type { Stored } from './types.js'
import { isVector, type Vector } from './vector.js'

/** Objects of a list. */
const SHOWN = 10
/** Rows and columns of a frame, and characters of a cell. */
const ROWS = 6
const COLUMNS = 8
const CELL = 24

/** `List "study" [3]`, `DataFrame "people" [3 × 4]`, with the state of a dead handle. */
export function summarizeObject(x: Stored): string {
  if (isVector(x)) return summarize(x)
  const handle = handleOf(x, 'toString')
  const extent = isFrame(x) ? `${x.nrow} × ${x.ncol}` : String(handle.length)
  return `${isList(x) ? 'List' : 'DataFrame'}${label(handle)} [${extent}]${dead(handle)}`
}

function label(handle: Handle): string {
  const name = quietly(() => handle.name, null)
  return name === null ? '' : ` ${JSON.stringify(name)}`
}

function dead(handle: Handle): string {
  const state = quietly(() => handle.state(), 'closed')
  return state === 'closed' || state === 'destroyed' ? ` (${state})` : ''
}

/** ` (temporary, in cohort.fm)`. */
function where(handle: Handle): string {
  const temporary = handle.state() === 'temporary' ? 'temporary, ' : ''
  return `  (${temporary}in ${handle.space.path === '' ? 'an anonymous file' : basename(handle.space.path)})`
}

/** The summary and those of the first objects in it. */
export function inspectList(list: List): string {
  const line = summarizeObject(list)
  const handle = handleOf(list, 'inspect')
  return quietly(() => {
    if (!handle.isAlive()) return line
    const { names } = list
    const items: string[] = []
    for (let i = 0; i < Math.min(list.length, SHOWN); i++) {
      const name = names?.get(i) ?? ''
      items.push(`${name === '' ? '' : `${name}: `}${quietly(() => item(list.get(i)), '(gone)')}`)
    }
    if (list.length > SHOWN) items.push('…')
    return `${line}  ${items.join(', ')}${where(handle)}`
  }, line)
}

function item(x: Stored | null): string {
  return x === null ? 'null' : summarizeObject(x)
}

/** The summary, and the first rows of the first columns under their names and types. */
export function inspectFrame(frame: DataFrame): string {
  const line = summarizeObject(frame)
  const handle = handleOf(frame, 'inspect')
  return quietly(() => {
    if (!handle.isAlive()) return line
    const rows = Math.min(frame.nrow, ROWS)
    const columns = columnsOf(frame).slice(0, COLUMNS)
    const table = [rowLabels(frame, rows)]
    columns.forEach((column, i) => table.push(cells(frame.columnNames[i] as string, column, rows)))
    if (columns.length === 0) return `${line}${where(handle)}`
    const lines = Array.from({ length: rows + 2 }, (_, r) =>
      table
        .map(column => column[r])
        .join('  ')
        .trimEnd(),
    )
    const more = [
      ...(frame.nrow > rows ? [`… ${frame.nrow - rows} more rows`] : []),
      ...(frame.ncol > COLUMNS ? [`… ${frame.ncol - COLUMNS} more columns`] : []),
    ]
    return [`${line}${where(handle)}`, ...lines, ...more].join('\n')
  }, line)
}

function rowLabels(frame: DataFrame, rows: number): string[] {
  const { rowNames } = frame
  const labels = Array.from({ length: rows }, (_, r) =>
    rowNames === null ? String(r) : short(rowNames.get(r)),
  )
  return padded(['', '', ...labels], false)
}

function cells(name: string, column: Vector, rows: number): string[] {
  const isText = column.type === 'character'
  const values = Array.from({ length: rows }, (_, r) => {
    const value = quietly<unknown>(() => column.get(r), '?')
    return isText ? short(value as string | null) : element(value)
  })
  return padded([short(name), column.type, ...values], !isText)
}

/** Text on one line, cut. */
function short(text: string | null): string {
  if (text === null) return 'NA'
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '·')
  return line.length > CELL ? `${line.slice(0, CELL - 1)}…` : line
}

function padded(column: readonly string[], right: boolean): string[] {
  const width = Math.max(...column.map(text => text.length))
  return column.map(text => (right ? text.padStart(width) : text.padEnd(width)))
}
