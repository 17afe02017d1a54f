// What the example addon does with vectors of JavaScript: node examples/addon/demo.mjs ADDON.node
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { cApi, openFmalloc } from 'rfmalloc'

const addon = createRequire(import.meta.url)(resolve(process.argv[2]))
addon.start(cApi())

const folder = mkdtempSync(join(tmpdir(), 'rfmalloc-addon-'))
const store = openFmalloc(join(folder, 'cohort.fm'))
try {
  const weight = store.vector('numeric', [70.5, null, 82], { name: 'weight' })
  console.log('scaled', addon.scale(weight.ref, 2)) // scaled 2
  console.log(weight.toArray()) // [ 141, null, 164 ]

  addon.squares(store.uuid, 'squares', 50_000)
  const squares = store.getVector('squares', 'integer')
  console.log(squares.get(1000), squares.get(46_341)) // 1000000 null
} finally {
  store.close()
  rmSync(folder, { recursive: true })
}
