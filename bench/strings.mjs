// Strings: a million of 13 bytes written from JavaScript and read back, beside a copy of a plain array and lmdb; the room they take; equality.
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
    return { write, read, get, plain, equal, room, lmdbWrite: theirs.write, lmdbRead: theirs.read }
  })
  const beside = (ours, theirs) =>
    `plain copy ${r.plain.toFixed(1)} ms; lmdb ${theirs.toFixed(0)} ms; ratio to lmdb ${(theirs / ours).toFixed(1)}`
  return [
    {
      name: '10^6 strings of 13 bytes: write',
      value: r.write,
      unit: 'ms',
      beside: beside(r.write, r.lmdbWrite),
    },
    {
      name: '10^6 strings of 13 bytes: toArray',
      value: r.read,
      unit: 'ms',
      beside: beside(r.read, r.lmdbRead),
    },
    { name: '10^6 strings of 13 bytes: get each', value: r.get, unit: 'ms', beside: '' },
    { name: 'room of a string of 20 bytes', value: r.room, unit: 'bytes', most: 37 },
    { name: 'equality with a constant, one thread', value: r.equal, unit: 'M/s', least: 400 },
  ]
}
