//! The model of the disk: of each 4 KiB page every version stored since its last barrier, and the lengths of the file likewise.
//!
//! Any of the versions may be the one on the disk, page by page, and inside a page sector by sector (512 bytes): a crash image is one
//! choice. The two superblocks tear inside their sector too: the copies are there for drives that cut even a sector. A barrier leaves of its pages what was there when it started and what came after. A barrier that *failed* leaves them stuck:
//! Linux takes them for clean, so a later barrier that succeeds says nothing about them until they are stored to again.

use crate::random::Random;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Bytes that reach the disk in one piece.
pub const SECTOR: usize = 512;

/// The pages that hold a superblock, in their first sector.
const SUPERBLOCKS: [usize; 2] = [0, 4];

/// One version of a page.
pub type Page = Arc<[u8; PAGE]>;

fn zero_page() -> &'static Page {
    static ZERO: OnceLock<Page> = OnceLock::new();
    ZERO.get_or_init(|| Arc::new([0; PAGE]))
}

fn page_of(bytes: &[u8]) -> Page {
    if bytes.iter().all(|b| *b == 0) {
        return Arc::clone(zero_page());
    }
    let mut page = [0; PAGE];
    page[..bytes.len()].copy_from_slice(bytes);
    Arc::new(page)
}

/// A page whose version on the disk is not known: oldest first, the last one is in the cache.
#[derive(Clone)]
struct Open {
    versions: Vec<Page>,
    stuck: bool,
}

/// A file with everything of it that may be on disk.
#[derive(Clone)]
pub struct Disk {
    settled: Vec<Page>,
    open: BTreeMap<usize, Open>,
    lens: Vec<u64>,
}

/// What stood in a barrier's pages when it started.
pub struct Started {
    pages: Vec<(usize, Page)>,
    len: u64,
    range: Range<u64>,
}

/// Which versions an image takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Nothing since the last barriers.
    Old,
    /// Everything: the page cache. With the same boot, a process death.
    New,
    /// Any mixture, by seed.
    Mix(u64),
    /// By number: the n-th of all combinations of whole pages and lengths.
    Nth(u64),
}

impl Disk {
    /// A file of which every byte is on disk.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(file: &File) -> io::Result<Self> {
        let mut disk =
            Self { settled: Vec::new(), open: BTreeMap::new(), lens: vec![file.metadata()?.len()] };
        let len = disk.lens[0];
        disk.settled = vec![Arc::clone(zero_page()); (len as usize).div_ceil(PAGE)];
        for (i, page) in disk.settled.iter_mut().enumerate() {
            *page = page_of(&read_page(file, i, len)?);
        }
        Ok(disk)
    }

    /// An empty file that is on disk.
    pub fn empty() -> Self {
        Self { settled: Vec::new(), open: BTreeMap::new(), lens: vec![0] }
    }

    /// The file's length in the cache.
    pub fn len(&self) -> u64 {
        self.lens[self.lens.len() - 1]
    }

    /// Whether the cache has no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn newest(&self, i: usize) -> &Page {
        match self.open.get(&i) {
            Some(o) => &o.versions[o.versions.len() - 1],
            None => self.settled.get(i).unwrap_or(zero_page()),
        }
    }

    /// `is_store`: whether it is known that somebody stored to the page, and not only looked for that.
    fn note(&mut self, i: usize, bytes: &[u8], is_store: bool) {
        let newest = self.newest(i);
        if newest[..bytes.len()] == *bytes {
            // Dirty again all the same.
            if let Some(o) = self.open.get_mut(&i) {
                o.stuck &= !is_store;
            }
            return;
        }
        let newest = Arc::clone(newest);
        if self.settled.len() <= i {
            self.settled.resize(i + 1, Arc::clone(zero_page()));
        }
        let open = self.open.entry(i).or_insert_with(|| Open { versions: vec![newest], stuck: false });
        open.versions.push(page_of(bytes));
        // Dirty again, so the next barrier writes the page, all of it.
        open.stuck = false;
    }

    /// Bytes were stored: their pages have a new version.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn stored(&mut self, file: &File, off: u64, nbytes: u64) -> io::Result<()> {
        self.read(file, off, nbytes, true)
    }

    fn read(&mut self, file: &File, off: u64, nbytes: u64, is_store: bool) -> io::Result<()> {
        if nbytes == 0 {
            return Ok(());
        }
        let len = file.metadata()?.len();
        for i in off as usize / PAGE..((off + nbytes) as usize).div_ceil(PAGE) {
            let bytes = read_page(file, i, len)?;
            self.note(i, &bytes, is_store);
        }
        Ok(())
    }

    /// Whatever was stored: every page of the file is looked at.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn looked_at(&mut self, file: &File) -> io::Result<()> {
        let len = file.metadata()?.len();
        self.resized(len);
        self.read(file, 0, len, false)
    }

    /// The file was made this long. What was cut off reads as zero if it comes back.
    pub fn resized(&mut self, len: u64) {
        let old = self.len();
        if len != old {
            self.lens.push(len);
        }
        for i in (len as usize).div_ceil(PAGE)..(old as usize).div_ceil(PAGE) {
            self.note(i, &[0; PAGE], true);
        }
        // Made anew by growth, so that the next barrier covers what they are now.
        let grown =
            (old as usize).div_ceil(PAGE)..(len as usize).div_ceil(PAGE).max((old as usize).div_ceil(PAGE));
        self.open.range_mut(grown).for_each(|(_, o)| o.stuck = false);
        self.settled
            .resize((len.max(old) as usize).div_ceil(PAGE).max(self.settled.len()), Arc::clone(zero_page()));
    }

    /// A barrier starts.
    pub fn barrier_starts(&self, range: Range<u64>) -> Started {
        let (from, to) = (range.start as usize / PAGE, (range.end as usize).div_ceil(PAGE));
        let pages = self
            .open
            .range(from..to)
            .map(|(i, o)| (*i, Arc::clone(&o.versions[o.versions.len() - 1])))
            .collect();
        Started { pages, len: self.len(), range }
    }

    /// It has returned.
    pub fn barrier_ends(&mut self, started: &Started) {
        for (i, then) in &started.pages {
            let Some(o) = self.open.get_mut(i).filter(|o| !o.stuck) else { continue };
            if let Some(at) = o.versions.iter().rposition(|v| Arc::ptr_eq(v, then)) {
                o.versions.drain(..at);
            }
            if o.versions.len() == 1 {
                let last = o.versions.remove(0);
                self.open.remove(i);
                self.settled[*i] = last;
            }
        }
        // A barrier on bytes beyond an end that may be on the disk makes the length durable with them.
        if self.lens.iter().any(|l| started.range.end > *l)
            && let Some(at) = self.lens.iter().rposition(|l| *l == started.len)
        {
            self.lens.drain(..at);
        }
    }

    /// It has failed.
    pub fn barrier_fails(&mut self, started: &Started) {
        for (i, _) in &started.pages {
            if let Some(o) = self.open.get_mut(i) {
                o.stuck = true;
            }
        }
    }

    /// The cache forgets clean pages from `off` on: of a stuck one any version is read from the disk now. Returns the pages that changed.
    /// Pages beyond the end, which a cut has left undecided, are in no cache: nothing is read of them, and they stay as they are.
    pub fn forget(&mut self, off: u64, random: &mut Random) -> Vec<(u64, Page)> {
        let end = (self.len() as usize).div_ceil(PAGE);
        let from = (off as usize / PAGE).min(end);
        let stuck: Vec<usize> =
            self.open.range(from..end).filter(|(_, o)| o.stuck).map(|(i, _)| *i).collect();
        let mut changed = Vec::new();
        for i in stuck {
            let Some(o) = self.open.remove(&i) else { continue };
            let page = choose_page(i, &o.versions, Bias::of(random), random);
            changed.push(((i * PAGE) as u64, Arc::clone(&page)));
            self.settled[i] = page;
        }
        changed
    }

    /// Pages with more than one version.
    pub fn undecided(&self) -> usize {
        self.open.len()
    }

    /// Combinations of whole pages and lengths; saturating.
    pub fn combinations(&self) -> u64 {
        self.open.values().fold(self.lens.len() as u64, |n, o| n.saturating_mul(o.versions.len() as u64))
    }

    /// The one with which every page is settled as `pick` says.
    #[must_use]
    pub fn image(&self, pick: Pick) -> Self {
        let mut random = Random(if let Pick::Mix(seed) = pick { seed } else { 0 });
        let bias = Bias::of(&mut random);
        let mut rest = if let Pick::Nth(n) = pick { n } else { 0 };
        let mut settled = self.settled.clone();
        let lens = self.lens.len();
        let len = match pick {
            Pick::Old => 0,
            Pick::New => lens - 1,
            Pick::Mix(_) => bias.choose(lens, &mut random),
            Pick::Nth(_) => digit(&mut rest, lens),
        };
        for (i, o) in &self.open {
            settled[*i] = match pick {
                Pick::Old => Arc::clone(&o.versions[0]),
                Pick::New => Arc::clone(&o.versions[o.versions.len() - 1]),
                Pick::Mix(_) => choose_page(*i, &o.versions, bias, &mut random),
                Pick::Nth(_) => Arc::clone(&o.versions[digit(&mut rest, o.versions.len())]),
            };
        }
        let len = self.lens[len];
        // What lies beyond the end is not there.
        settled.truncate((len as usize).div_ceil(PAGE));
        Self { settled, open: BTreeMap::new(), lens: vec![len] }
    }

    /// A number that two equal images have in common.
    pub fn fingerprint(&self, pick: Pick) -> u64 {
        let image = self.image(pick);
        let mut hasher = DefaultHasher::new();
        image.lens.hash(&mut hasher);
        for page in &image.settled {
            if !Arc::ptr_eq(page, zero_page()) {
                page.hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// Writes the cache's picture.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let len = self.len();
        let file = File::create(path)?;
        file.set_len(len)?;
        for i in 0..(len as usize).div_ceil(PAGE) {
            let page = self.newest(i);
            if !Arc::ptr_eq(page, zero_page()) {
                let n = (len as usize - i * PAGE).min(PAGE);
                file.write_all_at(&page[..n], (i * PAGE) as u64)?;
            }
        }
        Ok(())
    }

    /// Whether the file is what the cache is thought to be: else something was stored that nobody announced. The words say where.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn compare(&self, file: &File) -> io::Result<Result<(), String>> {
        let len = file.metadata()?.len();
        if len != self.len() {
            return Ok(Err(format!("the file has {len} bytes, {} were announced", self.len())));
        }
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, 0)?;
        for (i, page) in bytes.chunks(PAGE).enumerate() {
            let known = self.newest(i);
            if known[..page.len()] != *page {
                let at = page.iter().zip(known.iter()).position(|(a, b)| a != b).unwrap_or(0);
                return Ok(Err(format!("byte {} was stored without the seam", i * PAGE + at)));
            }
        }
        Ok(Ok(()))
    }
}

fn digit(rest: &mut u64, base: usize) -> usize {
    let d = *rest % base as u64;
    *rest /= base as u64;
    d as usize
}

fn read_page(file: &File, i: usize, len: u64) -> io::Result<Vec<u8>> {
    let from = i * PAGE;
    let mut bytes = vec![0; (len as usize).saturating_sub(from).min(PAGE)];
    file.read_exact_at(&mut bytes, from as u64)?;
    Ok(bytes)
}

/// How an image leans: a crash that finds nearly everything old, or nearly everything new, contradicts itself in the fewest places, and
/// those are the ones a rule has to hold for.
#[derive(Clone, Copy)]
struct Bias {
    /// Out of 16: how often the newest version is taken.
    newest: u64,
    /// Out of 16: how often the oldest.
    oldest: u64,
    torn: bool,
}

impl Bias {
    fn of(random: &mut Random) -> Self {
        let (newest, oldest) =
            [(8, 8), (7, 7), (15, 1), (1, 15), (13, 2), (2, 13), (0, 0), (5, 5)][random.below(8) as usize];
        Self { newest, oldest, torn: random.one_in(2) }
    }

    fn choose(self, n: usize, random: &mut Random) -> usize {
        let at = random.below(16);
        if at < self.newest {
            n - 1
        } else if at < self.newest + self.oldest {
            0
        } else {
            random.below(n as u64) as usize
        }
    }
}

/// A version, or a page whose sectors are each of some version.
fn choose_page(i: usize, versions: &[Page], bias: Bias, random: &mut Random) -> Page {
    let which = bias.choose(versions.len(), random);
    if !bias.torn || random.one_in(2) {
        return Arc::clone(&versions[which]);
    }
    let mut page = *versions[which];
    for (k, sector) in page.chunks_mut(SECTOR).enumerate() {
        let other = &versions[bias.choose(versions.len(), random)];
        sector.copy_from_slice(&other[k * SECTOR..][..SECTOR]);
    }
    let other = &versions[bias.choose(versions.len(), random)];
    // Not while the file is being made: there is no other copy yet, and nothing in the file.
    if SUPERBLOCKS.contains(&i) && random.one_in(2) && page[0] != 0 && other[0] != 0 {
        let cut = random.below(SECTOR as u64) as usize;
        page[cut..SECTOR].copy_from_slice(&other[cut..SECTOR]);
    }
    Arc::new(page)
}
