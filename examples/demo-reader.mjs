// The second process: opens the store read-only, by name. Its argument is the file; it prints JSON.
import { openFmalloc } from 'rfmalloc'
import { figures } from './figures.mjs'

const started = performance.now()
const store = openFmalloc(process.argv[2], { readOnly: true })
const result = {
  delay: figures(store.getVector('delay', 'integer')),
  usualDelay: figures(store.getVector('usualDelay', 'integer')),
}
store.close()
console.log(JSON.stringify({ figures: result, ms: performance.now() - started }))
