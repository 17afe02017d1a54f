// Rows to text: { name, value, unit, least?, most?, beside?, peak? }; `peak` is the most resident memory, in MiB.
import { reasonFor } from './shortfalls.mjs'

function number(value) {
  if (Number.isInteger(value)) return String(value)
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

function target({ least, most, unit }) {
  if (least !== undefined) return `≥ ${least} ${unit}`
  if (most !== undefined) return `≤ ${most} ${unit}`
  return ''
}

export function verdict({ value, least, most }) {
  if (least === undefined && most === undefined) return ''
  return value >= (least ?? -Infinity) && value <= (most ?? Infinity) ? 'met' : 'short'
}

function cells(row) {
  return [
    row.name,
    `${number(row.value)} ${row.unit}`,
    target(row),
    verdict(row),
    row.beside ?? '',
    row.peak === undefined ? '' : `${row.peak.toFixed(0)} MiB`,
  ]
}

const head = ['measure', 'value', 'target', '', 'beside it', 'resident']

export function table(rows) {
  const lines = [head, ...rows.map(cells)]
  const widths = head.map((_, i) => Math.max(...lines.map(line => line[i].length)))
  return lines
    .map(line =>
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** What is below its target, each with the measured reason. */
function shortfalls(rows) {
  const said = rows
    .filter(row => verdict(row) === 'short')
    .map(
      row =>
        `- **${row.name}** (${number(row.value)} ${row.unit}, target ${target(row)}): ${reasonFor(row.name)}`,
    )
  return said.length === 0 ? 'Nothing.' : said.join('\n')
}

/** `deaths`: runs of the kill loops, see deaths.json. */
export function markdown({ machine, runs, rows }, deaths) {
  const line = parts => `| ${parts.join(' | ')} |`
  const facts = Object.entries(machine).map(([key, value]) => `| ${key} | ${value} |`)
  return `# Results

Written by \`npm run bench -- --write\`. Medians of ${runs} runs; ratios are taken within one run. "Resident" is the most memory
the measured process had resident, pages of mapped files included. "Short" means: below the target.

${line(head)}
${line(head.map(() => '---'))}
${rows.map(row => line(cells(row))).join('\n')}

## What falls short, and why

${shortfalls(rows)}

## Machine

| machine and versions | |
| --- | --- |
${facts.join('\n')}

## Processes killed

Kept in deaths.json; what is killed, and where, stands in docs/RELIABILITY.md. Nothing acknowledged may be lost.

| command | deaths checked | lost | a second | seed | date |
| --- | --- | --- | --- | --- | --- |
${deaths.map(d => line([`\`${d.command}\``, d.deaths, d.lost, d.rate, d.seed, d.date])).join('\n')}
`
}
