// Why a figure is below its target, as far as it was measured: said in RESULTS.md under the table, for the rows that are short in it. A row that is
// short without a reason here fails the check of the pages: nothing is missed in silence.

/** Names of rows, and what was found. */
const REASONS = [
  [
    /^a < b/,
    'bound by memory. A logical has four bytes, in R and in the file, so a comparison moves 20 bytes an element, at the rate of a plain copy; numpy moves 17. The target would need a memory half as fast again as this one.',
  ],
  [
    /^l & m/,
    'bound by memory, at the rate of a plain copy: 12 bytes an element, where numpy, given the same operands, moves 9, because its result has one byte. Beside it stands what numpy takes when its operands have one byte, too.',
  ],
  [
    /^exp,/,
    'bound by computing: the rate is the same with operands in the cache. numpy has a routine written for AVX-512 with fused multiply-add and a table; ours has the same bits on every instruction set.',
  ],
  [
    /^2a \+ b\*c - d/,
    'one walk moves 40 bytes an element, numpy in four passes 88. A C loop written for this expression over the same file read and wrote 50 GB/s at one thread, and cut into the same strips of 128 elements 45; the rest is what the walk costs, and at several threads the memory is the limit.',
  ],
  [
    /^(sum|mean|min|max),/,
    'from the cache a sum runs at 56 to 64 GB/s and a minimum at 90 to 110, so computing is not the limit by itself; from memory both share the core with the reads, and the ratio moved between 0.8 and 1.0 (sum) and 0.9 and 1.2 (min, max) with where the pages of the file lay.',
  ],
  [
    /^cumsum,/,
    'error-free additions, eight runs side by side, three times the rate of numpy, which adds plainly; computing and memory do not overlap wholly.',
  ],
  [
    /^sort of 10\^7 doubles/,
    'numpy sorts with an AVX-512 quicksort of doubles. Ours sorts keys (so that NA and NaN keep their place and any instruction set gives the same bits): of its time 42 % is the quicksort in registers, 22 % telling keys into 64 parts, 15 % copies.',
  ],
  [
    /^rowSums/,
    'the sums of all rows are kept with their errors, so that each block of eight columns reads and writes both once more through the cache; numpy, which adds plainly, takes half as long again.',
  ],
  [
    /^crossprod of .* 64 columns/,
    'a tile is copied out of the mapping before it is multiplied, so that its pages can be let go at once; reading ahead through a mapping does not reach the rate of plain reads of 8 MiB on this disk, whose own rate moves from run to run.',
  ],
  [
    /^crossprod of .* 800 columns/,
    'the disk is the limit: beside it stand the rates at which dd read the file and at which the product runs in memory, and the former alone is not much more than the target. Copying tiles out of the mapping takes some processor time from the product, which has both cores already.',
  ],
]

/** What stands where nothing was found out: `bench-page.mjs --check` does not let it pass. */
export const UNKNOWN = 'not explained yet.'

export function reasonFor(name) {
  return REASONS.find(([pattern]) => pattern.test(name))?.[1] ?? UNKNOWN
}
