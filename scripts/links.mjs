// Links of pages that leave the repository. In it they are relative, so that they lead to the same branch; what is shipped has them as addresses in
// the repository, at the version's tag, unless the file is shipped as well.

const LINK = /\]\(([^()\s]+)\)/g
/** Text outside fences and inline code. */
const CODE = /(^```[\s\S]*?^```$|`[^`\n]*`)/m

/** Where a page's links lead, outside of code. */
export function linksOf(page) {
  return prose(page).flatMap(text => [...text.matchAll(LINK)].map(match => match[1]))
}

const isRelative = to => !/^([a-z]+:|#)/.test(to)

/** The page with its relative links made addresses, but for those that `isShipped`. */
export function withAddresses(page, { repository, version }, isShipped) {
  const base = repository.url.replace(/^git\+/, '').replace(/\.git$/, '')
  const made = (whole, to) =>
    isRelative(to) && !isShipped(to.split('#')[0]) ? `](${base}/blob/v${version}/${to})` : whole
  return pieces(page)
    .map((text, i) => (i % 2 === 0 ? text.replace(LINK, made) : text))
    .join('')
}

/** Relative links of a page that lead to nothing that `isShipped`. */
export function brokenIn(page, isShipped) {
  return linksOf(page).filter(to => isRelative(to) && !isShipped(to.split('#')[0]))
}

/** Prose at even places, code at odd ones. */
function pieces(page) {
  return page.split(new RegExp(CODE.source, 'gm'))
}

function prose(page) {
  return pieces(page).filter((_, i) => i % 2 === 0)
}
