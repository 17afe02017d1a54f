// A CSV file of 10^7 rows and six columns (whole numbers, text longer and shorter than 12 bytes, doubles, numbers with gaps, logicals) into a data
// frame and out again: seconds of processor time of one thread, beside DuckDB for Node and Polars on the same file, and csv-parse on its first
// tenth. Peers come into a throwaway folder; without one its figures are left out.
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { inChild, medians } from './measure.mjs'
import { throwaway } from './throwaway.mjs'

const ROWS = 10_000_000
const PEERS = { csvDuckdb: '@duckdb/node-api', csvPolars: 'nodejs-polars', csvParse: 'csv-parse' }
/** Seconds a run has at most this many medians of. */
const RUNS = 3

function write(path, rows) {
  const file = openSync(path, 'w')
  let text = 'id,flight,delay,distance,carrier,late\n'
  let state = 1
  const draw = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  const carriers = ['UA', 'AA', 'B6', 'DL', 'EV', 'MQ', 'US', 'WN', 'VX', 'FL']
  for (let i = 0; i < rows; i++) {
    const carrier = carriers[i % 10]
    const distance = i % 17 === 0 ? '' : Math.floor(draw() * 5000)
    text += `${i},flight ${carrier} ${i % 9973} to SFO,${(draw() * 1000).toFixed(6)},${distance},${carrier},${draw() < 0.5 ? 'TRUE' : 'FALSE'}\n`
    if (text.length > 1 << 20) {
      writeSync(file, text)
      text = ''
    }
  }
  writeSync(file, text)
  closeSync(file)
}

export function csv({ folder, runs }) {
  const [file, tenth, store] = ['rows.csv', 'tenth.csv', 'rows.fm'].map(name => join(folder, name))
  write(file, ROWS)
  write(tenth, ROWS / 10)
  const peers = Object.entries(PEERS).map(([task, name]) => [task, name, throwaway(folder, name)])
  for (const [, , { missing }] of peers) if (missing !== undefined) console.error(missing)
  const found = peers.filter(([, , { home }]) => home !== undefined)
  const r = medians(Math.min(runs, RUNS), () => {
    rmSync(store, { force: true })
    const ours = inChild('csvFmalloc', { file: store, csv: file, out: join(folder, 'out.csv') })
    const taken = { ...ours }
    for (const [task, , { home }] of found) {
      const theirs = inChild(task, { home, csv: task === 'csvParse' ? tenth : file })
      const wanted = task === 'csvParse' ? ours.rows / 10 : ours.rows
      if (theirs.rows !== wanted) throw new Error(`${task} found ${theirs.rows} rows`)
      taken[task] = theirs.read
      taken[`${task}Peak`] = theirs.peak
    }
    return taken
  })
  const nbytes = statSync(file).size
  for (const path of [file, tenth, store, join(folder, 'out.csv')]) rmSync(path, { force: true })
  const beside = found.map(([task, name]) => {
    const what = task === 'csvParse' ? `${name} (a tenth of the rows)` : `${name}, one thread`
    const times = task === 'csvParse' ? 10 : 1
    const ratio = (times * r[task]) / r.read
    return `${what} ${r[task].toFixed(2)} s, ${r[`${task}Peak`].toFixed(0)} MiB, ratio ${ratio.toFixed(1)}`
  })
  return [
    {
      name: `importCsv: 10^7 rows, ${(nbytes / 2 ** 20).toFixed(0)} MiB, processor time`,
      value: r.read,
      unit: 's',
      ...(r.csvDuckdb !== undefined && { most: Number((2 * r.csvDuckdb).toFixed(2)) }),
      beside: beside.join('; '),
      peak: r.peak,
    },
    { name: 'exportCsv of the same, processor time', value: r.write, unit: 's' },
  ]
}
