// Process death at scale: `node scripts/kill.mjs --kills N [--seed S] [--minutes M] [--lanes L] [--dir D]`. Runs the kill loop of the
// ava suite (__test__/helpers/crash) with files that live through many more deaths; stops after M minutes at the latest. Prints the rate
// as it goes, and at the end what died how. The first failure ends the run: its file and logs are kept, and the seed that runs its
// history again is printed.
import { mkdirSync } from 'node:fs'
import os from 'node:os'
import { parseArgs } from 'node:util'
import { fastRoot } from '../__test__/helpers/files.mjs'
import { dieOften } from '../__test__/helpers/crash/loop.mjs'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    minutes: { type: 'string', default: 'Infinity' },
    lanes: { type: 'string', default: String(Math.min(4, os.availableParallelism() + 1)) },
    dir: { type: 'string' },
    'per-file': { type: 'string', default: '250' },
  },
})
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 28) : Number(values.seed)
const kills = Number(values.kills)
const perFile = Number(values['per-file'])
const minutes = Number(values.minutes)
const lanes = Number(values.lanes)
if (![seed, kills, lanes, perFile].every(Number.isInteger) || !(lanes >= 1 && perFile >= 1 && minutes > 0)) {
  console.error('usage: kill.mjs [--kills N] [--seed S] [--minutes M] [--lanes L] [--per-file P] [--dir D]')
  process.exit(2)
}
if (values.dir !== undefined) mkdirSync(values.dir, { recursive: true })
// Half of the lanes in memory, half on a disk, where syncs take their time.
const roots = Array.from({ length: lanes }, (_, i) => values.dir ?? (i % 2 === 0 ? fastRoot() : os.tmpdir()))

console.log(
  `node ${process.version}, seed ${seed}, ${kills} deaths in ${lanes} lanes, ${perFile} on each file`,
)
const begun = Date.now()
const seconds = () => (Date.now() - begun) / 1000
let shown = 0
const sum = await dieOften({
  kills,
  seed,
  perFile,
  roots,
  until: begun + minutes * 60_000,
  afterEach({ kills: n }) {
    if (seconds() < shown + 30) return
    shown = seconds()
    console.log(`${Math.round(shown)} s: ${n} deaths, ${(n / shown).toFixed(1)} a second`)
  },
})
console.log(
  `${sum.kills} deaths in ${Math.round(seconds())} s, ${(sum.kills / seconds()).toFixed(1)} a second; ` +
    `${sum.done} acts acknowledged, ${sum.flying} died in the act`,
)
for (const [how, n] of Object.entries(sum.ends).toSorted((a, b) => b[1] - a[1])) console.log(`  ${n} ${how}`)
if (sum.failure !== null) {
  console.log(`not ok: ${sum.failure.text}`)
  console.log(`kept: ${sum.failure.folder}`)
  const { again } = sum.failure
  console.log(
    `again: node scripts/kill.mjs --lanes 1 --seed ${again.seed} --kills ${again.kills} --per-file ${again.kills}`,
  )
}
const nothing = sum.done === 0 && sum.failure === null
if (nothing) console.log('no act was ever acknowledged: nothing was tested')
console.log(`${sum.kills} passed, ${sum.failure === null && !nothing ? 0 : 1} failed`)
process.exitCode = sum.failure === null && !nothing ? 0 : 1
