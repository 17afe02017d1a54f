// How the process dies, chosen by the seed: most are killed from outside at any instant, the others in the middle of an ending of
// their own, by a thread that kills the process some microseconds after that ending has begun.

/** `how` → what its job says, and how the process may be seen to have ended. */
const WAYS = {
  kill: rng => ({ ms: rng.below(61), ended: ['SIGKILL'] }),
  // While it loads, opens, recovers: counted from its start.
  early: rng => ({ ms: 30 + rng.below(150), early: true, ended: ['SIGKILL'] }),
  // Every thread closes and opens again and again; the kill falls into a close of the main thread.
  close: rng => ({
    closes: 1 + rng.below(3),
    every: 1 + rng.below(12),
    micros: soon(rng),
    ended: ['SIGKILL'],
  }),
  exit: rng => ({ acts: 1 + rng.below(40), micros: perhapsSoon(rng), ended: ['SIGKILL', 0] }),
  beforeExit: rng => ({ acts: 1 + rng.below(40), micros: perhapsSoon(rng), ended: ['SIGKILL', 0] }),
  throw: rng => ({ acts: 1 + rng.below(40), micros: perhapsSoon(rng), ended: ['SIGKILL', 1] }),
  terminate: rng => ({
    acts: 1 + rng.below(40),
    ends: 1 + rng.below(3),
    ms: 5 + rng.below(61),
    ended: ['SIGKILL'],
  }),
  signal: rng => {
    const signal = rng.pick(['SIGTERM', 'SIGINT'])
    return { ms: rng.below(61), signal, ended: [signal] }
  },
  handled: rng => ({
    ms: rng.below(61),
    signal: rng.pick(['SIGTERM', 'SIGINT']),
    micros: perhapsSoon(rng),
    ended: ['SIGKILL', 0],
  }),
}

const BAG = Object.entries({
  kill: 27,
  early: 2,
  close: 6,
  exit: 3,
  beforeExit: 2,
  throw: 2,
  terminate: 3,
  signal: 3,
  handled: 2,
}).flatMap(([how, n]) => Array(n).fill(how))

/** Microseconds, mostly few: an ending takes some hundred. */
function soon(rng) {
  return Math.floor(4000 * (rng.below(1000) / 1000) ** 3)
}

function perhapsSoon(rng) {
  return rng.below(4) === 0 ? undefined : soon(rng)
}

export function chooseDeath(rng) {
  const how = rng.pick(BAG)
  return { how, ...WAYS[how](rng) }
}

/** One thread mostly, up to eight. */
export function chooseThreads(rng) {
  const die = rng.below(100)
  if (die < 45) return 1
  if (die < 70) return 2
  if (die < 88) return 3 + rng.below(2)
  return 5 + rng.below(4)
}
