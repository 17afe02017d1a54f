// Random acts on every kind of object, held against a model in plain JavaScript (helpers/model): what the API shows is what the model says,
// at once, after reopening, in a worker by references, and in another process. RFMALLOC_SEED=s begins with that seed, which a failure
// prints; RFMALLOC_SECONDS=n runs for n seconds (default 10).

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { fastRoot, freshDirectory } from './helpers/files.mjs'
import { live } from './helpers/model/history.mjs'
import { watchers } from './helpers/model/watchers.mjs'

const SEED = Number(process.env.RFMALLOC_SEED ?? Math.floor(Math.random() * 2 ** 28))
const SECONDS = Number(process.env.RFMALLOC_SECONDS ?? 10)
const STEPS = 150

test.serial('whatever is done in whatever order, the store holds what the model says', async t => {
  t.timeout(SECONDS * 1000 + 120_000)
  const directory = freshDirectory(t, fastRoot())
  const readers = watchers()
  t.teardown(() => readers.end())
  const end = Date.now() + SECONDS * 1000
  const sum = { histories: 0, acts: 0, reopened: 0 }
  for (let seed = SEED; seed === SEED || Date.now() < end; seed++) {
    const file = path.join(directory, `${seed}.fm`)
    try {
      const { acts, reopened } = await live({ file, seed, steps: STEPS, readers })
      sum.histories++
      sum.acts += acts
      sum.reopened += reopened
    } catch (error) {
      t.log(`RFMALLOC_SEED=${seed} RFMALLOC_SECONDS=0 runs this history again`)
      t.fail(error.message)
      return
    }
    fs.rmSync(file)
  }
  t.log(JSON.stringify(sum))
  t.pass()
})
