// Open a store of a million names and read one element, in a fresh process, beside lmdb: page cache hot, cold, after a kill.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { n } from './create.mjs'
import { inChild, medians } from './measure.mjs'

/** Writes the file back and drops its pages from the page cache (GNU dd asks the kernel by posix_fadvise). */
function dropCache(file) {
  execFileSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none'])
}

function row(name, result, least) {
  return {
    name,
    value: result.ours,
    unit: 'ms',
    ...least,
    beside: `lmdb ${result.theirs.toFixed(2)} ms`,
    peak: result.peak,
  }
}

export function open({ folder, runs }) {
  const stores = { ours: join(folder, 'open.fm'), theirs: join(folder, 'open.mdb') }
  const time = (before, kill) => {
    for (const file of Object.values(stores)) before?.(file)
    const ours = inChild('openFmalloc', { file: stores.ours, n, kill })
    const theirs = inChild('openLmdb', { file: stores.theirs, n, kill })
    return { ours: ours.ms, theirs: theirs.ms, peak: ours.peak }
  }

  inChild('createFmalloc', { file: stores.ours, n, kill: true })
  inChild('createLmdb', { file: stores.theirs, n, kill: true })
  const label = 'open with 10^6 names and first get'
  // Each run ends in a kill with unsynced work, so that the next opens what a killed process left.
  const rows = [
    row(
      `${label}, after kill -9`,
      medians(runs, () => time(undefined, true)),
      { most: 10 },
    ),
  ]
  time() // closes cleanly
  rows.push(
    row(
      `${label}, hot cache`,
      medians(runs, () => time()),
      { most: 10 },
    ),
  )
  if (process.platform === 'linux') {
    rows.push(
      row(
        `${label}, cold cache`,
        medians(runs, () => time(dropCache)),
      ),
    )
  }
  return rows
}
