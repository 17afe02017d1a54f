// The 3 million flights of the npm package vega-datasets, read from Parquet one row group after the other.
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { fileURLToPath } from 'node:url'

const parquetFile = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')))

async function open() {
  const file = await asyncBufferFromFile(parquetFile)
  return { file, metadata: await parquetMetadataAsync(file) }
}

export async function countFlights() {
  const { metadata } = await open()
  return Number(metadata.num_rows)
}

/**
 * Yields { start, end, date, delay, distance, origin, destination } for each row group: arrays of numbers and of strings, row `start` first. The file
 * keeps delay and distance as 64-bit integers and date in microseconds; they come out as integers and as ms since 1970.
 */
export async function* readFlights() {
  const { file, metadata } = await open()
  let start = 0
  for (const group of metadata.row_groups) {
    const end = start + Number(group.num_rows)
    const columns = { date: [], delay: [], distance: [], origin: [], destination: [] }
    await parquetRead({
      file,
      metadata,
      compressors,
      columns: Object.keys(columns),
      rowStart: start,
      rowEnd: end,
      parsers: { timestampFromMicroseconds: micros => Number(micros / 1000n) },
      onChunk: ({ columnName, columnData, rowStart }) => {
        const column = columns[columnName]
        const isText = columnName === 'origin' || columnName === 'destination'
        for (let i = 0; i < columnData.length; i++) {
          column[rowStart - start + i] = isText ? columnData[i] : Number(columnData[i])
        }
      },
    })
    yield { start, end, ...columns }
    start = end
  }
}

/** What the demo must find, computed from the Parquet file alone. Delays beyond `limit` minutes count as missing. */
export async function figuresOfParquet(limit) {
  const all = { flights: 0, missing: 0, mean: 0, worst: -Infinity }
  const usual = { ...all }
  let sumOfAll = 0
  let sumOfUsual = 0
  for await (const { delay } of readFlights()) {
    for (const minutes of delay) {
      all.flights++
      sumOfAll += minutes
      all.worst = Math.max(all.worst, minutes)
      if (Math.abs(minutes) > limit) {
        usual.missing++
      } else {
        sumOfUsual += minutes
        usual.worst = Math.max(usual.worst, minutes)
      }
    }
  }
  usual.flights = all.flights
  all.mean = sumOfAll / all.flights
  usual.mean = sumOfUsual / (all.flights - usual.missing)
  return { delay: all, usualDelay: usual }
}

/** Mean delay of the flights from `from`, by destination, from the Parquet file alone. */
export async function delaysOfParquet(from) {
  const sums = new Map()
  for await (const { delay, origin, destination } of readFlights()) {
    delay.forEach((minutes, i) => {
      if (origin[i] !== from) return
      const sum = sums.get(destination[i]) ?? { flights: 0, minutes: 0 }
      sum.flights++
      sum.minutes += minutes
      sums.set(destination[i], sum)
    })
  }
  const means = [...sums].map(([to, { flights, minutes }]) => ({ to, flights, delay: minutes / flights }))
  return means.sort((a, b) => (a.to < b.to ? -1 : 1))
}
