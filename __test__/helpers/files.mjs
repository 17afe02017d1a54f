// Temporary files and stores of a test. Every test works in a directory of its own, made fresh and removed afterwards; every store
// opened here is closed before its directory goes, whatever the test did.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { openFmalloc } from '../../dist/index.js'

/** A fresh directory, removed when the test ends. `root` chooses another place than the system's temporary directory. */
export function freshDirectory(t, root = os.tmpdir()) {
  const directory = fs.mkdtempSync(path.join(fs.realpathSync(root), 'rfmalloc-test-'))
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The path of a file that does not exist yet, in a fresh directory. */
export function freshPath(t, name = 'store.fm') {
  return path.join(freshDirectory(t), name)
}

/** Opens `file` and closes it when the test ends (closing twice is allowed). Arguments as for openFmalloc. */
export function open(t, file, ...rest) {
  const store = openFmalloc(file, ...rest)
  t.teardown(() => store.close())
  return store
}

/** A new store in a fresh directory. */
export function freshStore(t, ...rest) {
  return open(t, freshPath(t), ...rest)
}

/** Writes a file with these bytes into a fresh directory and returns its path. */
export function fileWith(t, bytes, name = 'store.fm') {
  const file = freshPath(t, name)
  fs.writeFileSync(file, bytes)
  return file
}

/** A fast place for files that are opened many thousand times: memory where there is one, else the temporary directory. */
export function fastRoot() {
  try {
    fs.accessSync('/dev/shm', fs.constants.W_OK)
    return '/dev/shm'
  } catch {
    return os.tmpdir()
  }
}

/** Free bytes of the file system that holds `directory`. */
export function freeBytes(directory) {
  const { bavail, bsize } = fs.statfsSync(directory)
  return bavail * bsize
}
