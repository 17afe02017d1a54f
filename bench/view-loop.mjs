// A typed-array loop over a view beside the same loop over a plain Float64Array. The ratio is taken within each run.
import { join } from 'node:path'
import { inChild, median } from './measure.mjs'

const n = 20_000_000

export function viewLoop({ folder, runs }) {
  const { samples, peak } = inChild('viewLoop', { file: join(folder, 'view.fm'), n, runs: runs * 3 })
  const of = key => median(samples.map(sample => sample[key]))
  return [
    {
      name: 'sum loop over a view, against a plain Float64Array',
      value: of('ratio'),
      unit: 'x',
      least: 0.95,
      beside: `${of('view').toFixed(1)} ms against ${of('plain').toFixed(1)} ms for ${n / 1e6} M doubles`,
      peak,
    },
  ]
}
