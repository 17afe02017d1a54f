// Many rounds: some lanes side by side, each with one file after the other. A file lives through `perFile` deaths. The seed of a round is
// the loop's seed plus the round's number, so a file's history can be run again from its first round.

import fs from 'node:fs'
import path from 'node:path'
import { openFmalloc } from '../../../dist/index.js'
import { bytesOf, content, random } from '../bytes.mjs'
import { emptyModel } from './model.mjs'
import { dieAndCheck } from './round.mjs'

/** A little less than the first catalog segment holds: the threads' objects then go on in the second. */
const BALLAST = 500

/** A file to begin with: mostly none yet, in one of four a store that is about to need its second catalog segment. */
function newFile(folder, seed) {
  const file = path.join(folder, 'store.fm')
  const model = emptyModel()
  const rng = random(seed ^ 0xba11)
  if (rng.below(4) > 0) return { file, model }
  const store = openFmalloc(file)
  for (let i = 0; i < BALLAST; i++) {
    const length = rng.below(9)
    const by = rng.bits()
    const name = `ballast-${i}`
    const { ref } = store.vector('raw', content('raw', length, by), { name })
    const bytes = Buffer.from(bytesOf(content('raw', length, by)))
    model.objects.set(ref.generation, { thread: -1, name, type: 'raw', length, bytes, ref })
    model.highest = ref.generation
  }
  if (rng.below(2) === 0) store.syncNow()
  store.close()
  return { file, model }
}

/**
 * Runs `kills` rounds (or until `until`, a time in ms). `roots`: where the lanes' files stand, one lane for each. A failing lane's folder is
 * kept. Returns { kills, done, flying, ends, failure }.
 */
export async function dieOften({ kills, seed, perFile, roots, until = Infinity, afterEach = () => {} }) {
  const sum = { kills: 0, done: 0, flying: 0, ends: {}, failure: null }
  let next = 0
  async function lane(root) {
    while (next < kills && sum.failure === null && Date.now() < until) {
      const first = next
      const last = Math.min(kills, first + perFile)
      next = last
      const folder = fs.mkdtempSync(path.join(fs.realpathSync(root), 'rfmalloc-kill-'))
      let { file, model } = newFile(folder, seed + first)
      let broken = false
      for (let n = first; n < last && sum.failure === null && Date.now() < until; n++) {
        const round = await dieAndCheck({ file, model, seed: seed + n })
        if (round.problems.length > 0) {
          broken = true
          sum.failure = {
            folder,
            again: { seed: seed + first, kills: n - first + 1 },
            text:
              `round ${n + 1}: seed ${seed + n}, ${round.threads} threads, death ${JSON.stringify(round.death)}, ` +
              `checked ${round.readOnly ? 'read-only' : 'writable'}\n${round.problems.join('\n')}`,
          }
          break
        }
        model = round.after
        sum.kills++
        sum.done += round.done
        sum.flying += round.flying
        const how = `${round.death.how} ${round.end}`
        sum.ends[how] = (sum.ends[how] ?? 0) + 1
        afterEach(sum)
      }
      if (!broken) fs.rmSync(folder, { recursive: true, force: true })
    }
  }
  await Promise.all(roots.map(lane))
  return sum
}
