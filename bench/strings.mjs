// Strings: a million of 13 bytes written from JavaScript and read back, beside a copy of a plain array, lmdb
// and apache-arrow's builder; the room they take; equality.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { inChild, medians } from './measure.mjs'

const n = 1_000_000

export function strings({ folder, runs }) {
  const fresh = (task, file, bytes) => {
    for (const path of [file, `${file}-lock`]) rmSync(path, { force: true })
    return inChild(task, { file, n, bytes })
  }
  const r = medians(runs, () => {
    const { write, read, get, plain, equal } = fresh('stringsFmalloc', join(folder, 'strings.fm'), 13)
    const theirs = fresh('stringsLmdb', join(folder, 'strings.mdb'), 13)
    const { room } = fresh('stringsFmalloc', join(folder, 'room.fm'), 20)
    const short = fresh('stringsFmalloc', join(folder, 'short.fm'), 12)
    const arrow = inChild('stringsArrow', { n, bytes: 13 })
    const shortArrow = inChild('stringsArrow', { n, bytes: 12 })
    return {
      ...{ write, read, get, plain, equal, room, lmdbWrite: theirs.write, lmdbRead: theirs.read },
      ...{ arrowWrite: arrow.write, arrowRead: arrow.read, arrowGet: arrow.get },
      ...{ shortGet: short.get, shortArrowGet: shortArrow.get },
    }
  })
  const beside = (ours, lmdb, arrow) =>
    `plain copy ${r.plain.toFixed(1)} ms; lmdb ${lmdb.toFixed(0)} ms, ratio ${(lmdb / ours).toFixed(1)}; ${besideArrow(ours, arrow)}`
  const besideArrow = (ours, arrow) =>
    `apache-arrow ${arrow.toFixed(0)} ms, ratio ${(arrow / ours).toFixed(1)}`
  return [
    {
      name: '10^6 strings of 13 bytes: write',
      value: r.write,
      unit: 'ms',
      beside: beside(r.write, r.lmdbWrite, r.arrowWrite),
    },
    {
      name: '10^6 strings of 13 bytes: toArray',
      value: r.read,
      unit: 'ms',
      beside: beside(r.read, r.lmdbRead, r.arrowRead),
    },
    {
      name: '10^6 strings of 13 bytes: get each',
      value: r.get,
      unit: 'ms',
      beside: besideArrow(r.get, r.arrowGet),
    },
    {
      name: '10^6 strings of 12 bytes: get each',
      value: r.shortGet,
      unit: 'ms',
      beside: besideArrow(r.shortGet, r.shortArrowGet),
    },
    { name: 'room of a string of 20 bytes', value: r.room, unit: 'bytes', most: 37 },
    { name: 'equality with a constant, one thread', value: r.equal, unit: 'M/s', least: 400 },
  ]
}
