/**
 * `rfmalloc map`: a picture of a store's file, for a terminal and as SVG. The file is cut into cells of equal length; a cell shows the use
 * that has most of it, and the object that has most of that.
 */
import { writeFileSync } from 'node:fs'
import { layout, listing } from '../catalog.js'
import type { Store } from '../store.js'
import type { Given, Spec } from './arguments.js'
import { EXIT, jsonLines, plain, size, UsageError, write, writeLines } from './output.js'

export const MAP: Spec = {
  args: ['STORE'],
  options: {
    svg: { type: 'string' },
    width: { type: 'string' },
    rows: { type: 'string' },
  },
  help: `draws what every byte of a store's file is
  --svg FILE     writes the picture as SVG instead
  --width N      cells of a line; default 64
  --rows N       lines; default 16
  --json         prints every stretch of the file as JSON`,
}

/** Uses, as the pictures show them. */
const LOOK: Readonly<Record<string, { mark: string; color: number; fill: string }>> = {
  live: { mark: '█', color: 34, fill: '#4c78a8' },
  metadata: { mark: '=', color: 35, fill: '#b279a2' },
  temporary: { mark: 't', color: 36, fill: '#72b7b2' },
  pinned: { mark: 'p', color: 33, fill: '#eeca3b' },
  retired: { mark: 'x', color: 31, fill: '#e45756' },
  free: { mark: '·', color: 90, fill: '#e8e8e8' },
  unknown: { mark: '?', color: 91, fill: '#000000' },
}
/** Every other living object looks so, that borders show. */
const LIVE_TOO = { mark: '▒', color: 34, fill: '#7fa6d1' }

interface Cell {
  readonly use: string
  readonly id: number
}

/** The file in cells. */
interface Picture {
  readonly nbytes: number
  readonly cellBytes: number
  readonly cells: readonly Cell[]
  readonly total: ReadonlyMap<string, number>
  /** Names of objects; `#id.generation` for those without. */
  readonly names: ReadonlyMap<number, string>
  /** 0 or 1 for each object that is shown: neighbours differ. */
  readonly parity: ReadonlyMap<number, number>
}

export async function map(store: Store, given: Given): Promise<number> {
  if (given.json) {
    const names = namesOf(store)
    const stretches = [...layout(store)].map(({ offset, nbytes, use, id }) => ({
      offset,
      nbytes,
      use,
      object: id < 0 ? null : (names.get(id) ?? null),
    }))
    await writeLines(jsonLines(stretches))
    return EXIT.done
  }
  const svg = given.text('svg')
  const width = given.count('width') ?? (svg === undefined ? 64 : 128)
  const rows = given.count('rows') ?? 16
  if (width < 1 || width > 1000 || rows < 1 || rows > 1000)
    throw new UsageError('--width and --rows are numbers from 1 to 1000')
  const picture = draw(store, width * rows)
  if (svg === undefined) {
    await writeLines(
      asText(store, picture, width, process.stdout.isTTY && process.env['NO_COLOR'] === undefined),
    )
  } else {
    writeFileSync(svg, asSvg(store, picture, width))
    await write(`${svg}: ${picture.cells.length} cells of ${size(picture.cellBytes)}\n`)
  }
  return EXIT.done
}

function namesOf(store: Store): Map<number, string> {
  const names = new Map<number, string>()
  for (const { id, generation, name } of listing(store)) names.set(id, name ?? `#${id}.${generation}`)
  return names
}

function draw(store: Store, most: number): Picture {
  const { nbytes } = store
  const cellBytes = Math.max(64, Math.ceil(nbytes / most / 64) * 64)
  const count = Math.ceil(nbytes / cellBytes)
  const total = new Map<string, number>()
  const parity = new Map<number, number>()
  const cells: Cell[] = []
  // Bytes by use and object of the cell that is being filled.
  let tally = new Map<string, { cell: Cell; nbytes: number }>()
  const finish = (): void => {
    let best: { cell: Cell; nbytes: number } | undefined
    for (const one of tally.values()) if (best === undefined || one.nbytes > best.nbytes) best = one
    cells.push(best?.cell ?? { use: 'unknown', id: -1 })
    tally = new Map()
  }
  for (const { offset, nbytes: length, use, id } of layout(store)) {
    total.set(use, (total.get(use) ?? 0) + length)
    for (let at = offset; at < offset + length;) {
      while (cells.length < Math.floor(at / cellBytes)) finish()
      const end = Math.min(offset + length, (cells.length + 1) * cellBytes)
      const key = `${use} ${id}`
      const one = tally.get(key)
      if (one === undefined) tally.set(key, { cell: { use, id }, nbytes: end - at })
      else one.nbytes += end - at
      at = end
    }
  }
  while (cells.length < count) finish()
  let last = 1
  for (const { id } of cells) {
    if (id < 0) continue
    if (!parity.has(id)) parity.set(id, 1 - last)
    last = parity.get(id) as number
  }
  return { nbytes, cellBytes, cells, total, names: namesOf(store), parity }
}

function look(picture: Picture, { use, id }: Cell) {
  const known = LOOK[use] as (typeof LOOK)[string]
  return use === 'live' && picture.parity.get(id) === 1 ? LIVE_TOO : known
}

function legend({ total, nbytes }: Picture): { use: string; text: string }[] {
  return Object.keys(LOOK)
    .filter(use => (total.get(use) ?? 0) > 0)
    .map(use => {
      const part = total.get(use) as number
      return { use, text: `${use} ${size(part)} (${Math.round((100 * part) / nbytes)} %)` }
    })
}

/** Most characters of the names beside a line. */
const NAMES_WIDTH = 40

function* asText(store: Store, picture: Picture, width: number, color: boolean): IterableIterator<string> {
  const paint = (text: string, code: number): string => (color ? `\x1b[${code}m${text}\x1b[0m` : text)
  yield `${plain(store.path)}: ${size(picture.nbytes)}, a cell is ${size(picture.cellBytes)}`
  const { cells } = picture
  for (let from = 0; from < cells.length; from += width) {
    const line = cells.slice(from, from + width)
    let marks = ''
    for (const cell of line) {
      const { mark, color: code } = look(picture, cell)
      marks += paint(mark, code)
    }
    const offset = size(from * picture.cellBytes).padStart(9)
    const names = beginning(picture, from, line)
    yield `${offset} ${marks}${' '.repeat(width - line.length)}${names === '' ? '' : ` ${names}`}`
  }
  const marks = legend(picture).map(({ use, text }) => {
    const { mark, color: code } = LOOK[use] as (typeof LOOK)[string]
    return `${paint(mark, code)} ${text}`
  })
  yield marks.join('   ')
}

/** Names of the objects that begin in a line. */
function beginning(picture: Picture, from: number, line: readonly Cell[]): string {
  const names: string[] = []
  line.forEach(({ id, use }, k) => {
    const before = picture.cells[from + k - 1]
    if (use !== 'live' || before?.id === id) return
    const name = plain(picture.names.get(id) ?? `#${id}`)
    if (!names.includes(name)) names.push(name)
  })
  const text = names.join(', ')
  return text.length <= NAMES_WIDTH ? text : `${text.slice(0, NAMES_WIDTH - 1)}…`
}

const CELL_WIDTH = 8
const LINE_HEIGHT = 20
const TOP = 30

function escape(text: string): string {
  return plain(text).replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`)
}

function asSvg(store: Store, picture: Picture, width: number): string {
  const { cells, cellBytes } = picture
  const lines = Math.ceil(cells.length / width)
  const height = TOP + lines * LINE_HEIGHT + 30
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width * CELL_WIDTH + 20}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="10" y="18">${escape(store.path)}: ${size(picture.nbytes)}, a cell is ${size(cellBytes)}</text>`,
  ]
  for (let from = 0; from < cells.length;) {
    const cell = cells[from] as Cell
    const lineEnd = Math.min(cells.length, (Math.floor(from / width) + 1) * width)
    let to = from + 1
    while (to < lineEnd && cells[to]?.use === cell.use && cells[to]?.id === cell.id) to++
    const [x, y] = [10 + (from % width) * CELL_WIDTH, TOP + Math.floor(from / width) * LINE_HEIGHT]
    const w = (to - from) * CELL_WIDTH
    const name = cell.id < 0 ? cell.use : (picture.names.get(cell.id) ?? `#${cell.id}`)
    const title = `${escape(name)}: bytes ${from * cellBytes} to ${Math.min(to * cellBytes, picture.nbytes)}`
    out.push(
      `<rect x="${x}" y="${y}" width="${w}" height="${LINE_HEIGHT - 2}" fill="${look(picture, cell).fill}"><title>${title}</title></rect>`,
    )
    // A name where it has room, at the object's beginning.
    if (cell.use === 'live' && cells[from - 1]?.id !== cell.id && w >= 7 * name.length + 6)
      out.push(`<text x="${x + 3}" y="${y + 13}" fill="#ffffff" pointer-events="none">${escape(name)}</text>`)
    from = to
  }
  let x = 10
  for (const { use, text } of legend(picture)) {
    const y = height - 20
    out.push(`<rect x="${x}" y="${y}" width="12" height="12" fill="${LOOK[use]?.fill}"/>`)
    out.push(`<text x="${x + 16}" y="${y + 10}">${escape(text)}</text>`)
    x += 30 + 6.5 * text.length
  }
  out.push('</svg>', '')
  return out.join('\n')
}
