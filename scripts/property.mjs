// Random acts against a model, for long: `node scripts/property.mjs [--minutes M] [--seed S] [--steps N] [--histories H]`. Runs the histories of
// the ava suite (__test__/helpers/model) one after the other, seed after seed. The first failure ends the run and prints the seed that
// runs it again.
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { fastRoot } from '../__test__/helpers/files.mjs'
import { live } from '../__test__/helpers/model/history.mjs'
import { watchers } from '../__test__/helpers/model/watchers.mjs'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string' },
    steps: { type: 'string', default: '150' },
    histories: { type: 'string', default: 'Infinity' },
  },
})
const first = values.seed === undefined ? Math.floor(Math.random() * 2 ** 28) : Number(values.seed)
const [minutes, steps, histories] = [values.minutes, values.steps, values.histories].map(Number)
if (!Number.isInteger(first) || !(minutes > 0 && steps > 0 && histories > 0)) {
  console.error('usage: property.mjs [--minutes M] [--seed S] [--steps N] [--histories H]')
  process.exit(2)
}

console.log(`node ${process.version}, seed ${first}, ${steps} acts in each history`)
const begun = Date.now()
const seconds = () => Math.round((Date.now() - begun) / 1000)
const directory = mkdtempSync(path.join(fastRoot(), 'rfmalloc-property-'))
const readers = watchers()
const sum = { histories: 0, acts: 0, reopened: 0 }
let failure = null
let shown = 0
for (let seed = first; failure === null && sum.histories < histories && seconds() < 60 * minutes; seed++) {
  const file = path.join(directory, `${seed}.fm`)
  try {
    const { acts, reopened } = await live({ file, seed, steps, readers })
    sum.histories++
    sum.acts += acts
    sum.reopened += reopened
  } catch (error) {
    failure = `${error.message}\nagain: node scripts/property.mjs --histories 1 --seed ${seed} --steps ${steps}`
  }
  rmSync(file, { force: true })
  if (seconds() < shown + 30) continue
  shown = seconds()
  console.log(`${shown} s: ${sum.histories} histories`)
}
await readers.end()
rmSync(directory, { recursive: true, force: true })
console.log(
  `${sum.histories} histories in ${seconds()} s: ${sum.acts} acts, opened again ${sum.reopened} times`,
)
if (failure !== null) console.log(`not ok: ${failure}`)
console.log(`${sum.histories} passed, ${failure === null ? 0 : 1} failed`)
process.exitCode = failure === null ? 0 : 1
