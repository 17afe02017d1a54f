// The second process: opens the store read-only, by name. Its arguments are the file and an airport; it prints JSON.
import { openFmalloc } from 'rfmalloc'
import { figures } from './figures.mjs'

const [path, from] = process.argv.slice(2)
const started = performance.now()
const store = openFmalloc(path, { readOnly: true })
const flights = store.getDataFrame('flights', {
  delay: 'integer',
  origin: 'character',
  destination: 'character',
})
const result = {
  delay: figures(flights.column('delay')),
  usualDelay: figures(flights.column('usualDelay')),
}

// By mask: the flights from one airport, as a frame of their own (a temporary; the store is read-only, so it is elsewhere).
const here = flights.filter(flights.column('origin').eq(from)).pick('delay', 'destination')
const sums = new Map()
for (const { delay, destination } of here) {
  const sum = sums.get(destination) ?? { flights: 0, minutes: 0 }
  sum.flights++
  sum.minutes += delay
  sums.set(destination, sum)
}
const delays = [...sums].map(([to, { flights, minutes }]) => ({ to, flights, delay: minutes / flights }))
delays.sort((a, b) => (a.to < b.to ? -1 : 1))

// By names: a vector that has them answers by them.
const scratch = here.column('delay').store
const names = delays.map(({ to }) => to)
const means = scratch.vector(
  'numeric',
  delays.map(({ delay }) => delay),
  { names },
)
const counts = scratch.vector(
  'integer',
  delays.map(({ flights }) => flights),
  { names },
)
const asked = ['JFK', 'LAX', 'SEA']
const some = asked.map(to => ({ to, flights: counts.get(to), delay: means.get(to) }))
if (means.select([...asked, 'nowhere']).get(3) !== null) throw new Error('an unknown name must give NA')

store.close()
console.log(JSON.stringify({ figures: result, delays, some, ms: performance.now() - started }))
