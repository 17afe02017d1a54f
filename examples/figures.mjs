// The loop everybody writes: windows over a vector, a typed array over each window, nothing copied.

const NA = -(2 ** 31) // how an integer vector stores null; a view shows the raw bits

/** Flights, missing values, mean and worst of a vector of delays; NA is left out. */
export function figures(vector) {
  let missing = 0
  let sum = 0
  let worst = -Infinity
  for (const window of vector.windows()) {
    const minutes = window.view() // an Int32Array over the file
    for (let i = 0; i < minutes.length; i++) {
      const value = minutes[i]
      if (value === NA) {
        missing++
        continue
      }
      sum += value
      if (value > worst) worst = value
    }
  }
  return { flights: vector.length, missing, mean: sum / (vector.length - missing), worst }
}
