// A progress bar on a terminal; four quiet lines elsewhere.

export function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(2)} s`
}

/** Returns a function to call with the number done so far. */
export function progressBar(label, total) {
  let quarter = 0
  return done => {
    const share = done / total
    if (process.stdout.isTTY) {
      const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '░')
      process.stdout.write(`\r${label} ${bar} ${Math.floor(share * 100)} %${done === total ? '\n' : ''}`)
    } else if (Math.floor(share * 4) > quarter) {
      quarter = Math.floor(share * 4)
      console.log(`${label}: ${quarter * 25} %`)
    }
  }
}
