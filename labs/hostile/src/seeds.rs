//! Real stores, made by the core, to be mutated. Made anew in every run and the same in every run: what the core draws at random (uuid,
//! seed of the tags) is replaced afterwards.

use crate::elements::{Element, Kind, find_all};
use crate::image::Image;
use crate::kinds::attributes::retag;
use crate::kinds::segment::Header;
use crate::kinds::superblock::{COPIES, Superblock};
use crate::layout::Layout;
use rfmalloc_core::{Dtype, Handle, Mode, OpenOptions, Result, Store};
use std::path::{Path, PathBuf};

/// The boot the seeds were made in.
pub const BOOT: [u8; 16] = [1; 16];
/// Another boot of the machine.
pub const OTHER_BOOT: [u8; 16] = [2; 16];

/// One store to start from.
pub struct Seed {
    /// What it is.
    pub name: &'static str,
    /// Its file.
    pub image: Image,
    /// Its elements, by kind.
    pub elements: Vec<Vec<Element>>,
    /// Its catalog.
    pub layout: Layout,
    /// How it was made.
    pub mode: Mode,
}

/// Options for stores of this lab: no background sync, a small reservation.
#[must_use]
pub fn options(boot: [u8; 16]) -> OpenOptions {
    OpenOptions { sync_every: None, boot_id: Some(boot), max_size: Some(64 << 20), ..OpenOptions::default() }
}

/// Element bytes that tell their vector.
#[must_use]
pub fn elements_of(seed: u32, nbytes: usize) -> Vec<u8> {
    (0..nbytes as u32)
        .map(|i| (i.wrapping_mul(31) ^ i >> 8).wrapping_add(seed.wrapping_mul(97)) as u8)
        .collect()
}

fn ints(store: &Store, seed: u32, n: u64, name: Option<&str>) -> Result<Handle> {
    store.create(Dtype::Integer, n, &elements_of(seed, 4 * n as usize), name)
}

struct Maker<'a> {
    path: PathBuf,
    out: &'a mut Vec<Seed>,
}

impl Maker<'_> {
    /// The store as `make` leaves it, closed, or (`killed`) as it stands before the close.
    fn make(
        &mut self,
        name: &'static str,
        killed: bool,
        options: &OpenOptions,
        make: impl FnOnce(&Store) -> Result<()>,
    ) -> std::io::Result<()> {
        let failed = |e: rfmalloc_core::Error| std::io::Error::other(format!("seed '{name}': {e}"));
        let store = Store::open(&self.path, options).map_err(failed)?.store;
        make(&store).map_err(failed)?;
        let open = std::fs::read(&self.path)?;
        store.close().map_err(failed)?;
        let bytes = if killed { open } else { std::fs::read(&self.path)? };
        std::fs::remove_file(&self.path)?;
        self.push(name, bytes, options.mode);
        Ok(())
    }

    fn push(&mut self, name: &'static str, bytes: Vec<u8>, mode: Mode) {
        let mut image = Image::new(bytes);
        settle(&mut image);
        let (elements, layout) = (find_all(&image), Layout::of(&image));
        self.out.push(Seed { name, image, elements, layout, mode });
    }
}

/// Replaces what the core drew at random.
fn settle(image: &mut Image) {
    let layout = Layout::of(image);
    let element = |off| Element { kind: 0, off, idx: 0, which: 0, end: off };
    for off in COPIES {
        if image.get(off) == *b"\x89rfmalloc\r\n\x1a\n\0\0\0" {
            image.put(off + 48, &[7; 16]);
            image.put(off + 136, &[0; 4]);
            image.put(off + 144, &[9; 16]);
            Superblock.seal(image, &element(off));
        }
    }
    for s in &layout.segments {
        image.put(s.off + 16, &[7; 16]);
        Header.seal(image, &element(s.off));
    }
    for idx in 0..layout.used {
        retag(image, &layout, idx);
    }
}

/// Makes all seeds in an empty folder.
///
/// # Errors
/// The core refused something it must not refuse.
pub fn all(dir: &Path) -> std::io::Result<Vec<Seed>> {
    let mut out = Vec::new();
    let mut m = Maker { path: dir.join("seed.fm"), out: &mut out };
    let plain = options(BOOT);
    m.make("empty", false, &plain, |_| Ok(()))?;
    m.make("few", false, &plain, few)?;
    m.make("killed", true, &plain, few)?;
    m.make("killed-after-sync", true, &plain, |s| {
        few(s)?;
        s.sync()?;
        ints(s, 20, 100, Some("later"))?;
        s.delete("weights").map(|_| ())
    })?;
    m.make("dead", true, &plain, |s| {
        few(s)?;
        s.sync()?;
        for name in ["counts", "weights", "flags"] {
            s.delete(name)?;
        }
        ints(s, 21, 9, Some("counts")).map(|_| ())
    })?;
    m.make("renamed", false, &plain, |s| rename(s, true))?;
    m.make("renamed-killed", true, &plain, |s| rename(s, false))?;
    m.make("hardened", true, &plain, |s| {
        for i in 0..4 {
            let h = ints(s, i, 30, Some(&format!("hard{i}")))?;
            s.sync_object(&h)?;
        }
        let mut h = s.open_name("hard1")?.ok_or_else(missing)?;
        s.rename(&mut h, Some("hardly"), false)
    })?;
    m.make("replaced", true, &plain, |s| {
        ints(s, 1, 10, Some("it"))?;
        s.sync()?;
        s.put(Dtype::Raw, 5, b"hello", Some("it"), true)?;
        s.put(Dtype::Raw, 3, b"new", Some("it"), true).map(|_| ())
    })?;
    m.make("sealed", false, &plain, |s| {
        few(s)?;
        let mut long = s.create(Dtype::Raw, 3 << 19, &elements_of(6, 3 << 19), Some("long"))?;
        s.seal(&mut long)?;
        s.sync()?;
        for name in ["counts", "none"] {
            let mut h = s.open_name(name)?.ok_or_else(missing)?;
            s.seal(&mut h)?;
        }
        s.rename(&mut long, Some("longer"), false)
    })?;
    m.make("large", false, &plain, |s| {
        ints(s, 5, 1 << 18, Some("large"))?;
        few(s)
    })?;
    m.make("two-segments", false, &plain, |s| {
        for i in 0..620 {
            ints(s, i, 3, (i % 2 == 0).then(|| format!("v{i}")).as_deref())?;
        }
        Ok(())
    })?;
    m.make("two-segments-killed", true, &plain, |s| {
        for i in 0..530 {
            ints(s, i, 3, (i % 4 == 0).then(|| format!("v{i}")).as_deref())?;
            if i == 300 {
                s.sync()?;
            }
        }
        Ok(())
    })?;
    m.make("limited", false, &OpenOptions { capacity: Some(1 << 20), ..options(BOOT) }, few)?;
    let scratch = OpenOptions { mode: Mode::Scratch, ..options(BOOT) };
    m.make("scratch", false, &scratch, |_| Ok(()))?;
    m.make("scratch-killed", true, &scratch, |s| ints(s, 1, 4000, Some("s")).map(|_| ()))?;
    recovered(&mut m)?;
    Ok(out)
}

fn missing() -> rfmalloc_core::Error {
    rfmalloc_core::Error::new(rfmalloc_core::Code::Internal, "an object of the seed is missing")
}

fn few(s: &Store) -> Result<()> {
    ints(s, 1, 40, Some("counts"))?;
    s.create(Dtype::Numeric, 25, &elements_of(2, 200), Some("weights"))?;
    s.create(Dtype::Logical, 3, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80], Some("flags"))?;
    s.create(Dtype::Complex, 2, &elements_of(3, 32), Some("z"))?;
    s.create(Dtype::Raw, 5, b"bytes", None)?;
    s.create(Dtype::Numeric, 0, &[], Some("none"))?;
    ints(s, 4, 5000, Some("größe ✓")).map(|_| ())
}

fn rename(s: &Store, synced: bool) -> Result<()> {
    few(s)?;
    s.sync()?;
    for (from, to) in [
        ("counts", "tally"),
        ("weights", "counts"),
        ("tally", "weights"),
        ("z", "a much longer name, of more than one unit of sixty-four bytes"),
    ] {
        let mut h = s.open_name(from)?.ok_or_else(missing)?;
        s.rename(&mut h, Some(to), false)?;
        if synced {
            s.sync()?;
        }
    }
    let mut h = s.open_name("flags")?.ok_or_else(missing)?;
    s.rename(&mut h, None, false)
}

/// Killed, recovered in another boot, and killed again.
fn recovered(m: &mut Maker<'_>) -> std::io::Result<()> {
    let failed = |e: rfmalloc_core::Error| std::io::Error::other(format!("seed 'recovered': {e}"));
    let store = Store::open(&m.path, &options(BOOT)).map_err(failed)?.store;
    few(&store).and_then(|()| store.sync()).map_err(failed)?;
    ints(&store, 30, 10, Some("lost")).map_err(failed)?;
    store.delete("z").map_err(failed)?;
    let torn = std::fs::read(&m.path)?;
    store.close().map_err(failed)?;
    std::fs::write(&m.path, torn)?;
    m.make("recovered", true, &options(OTHER_BOOT), |s| {
        ints(s, 31, 10, Some("after"))?;
        s.sync()?;
        ints(s, 32, 10, None).map(|_| ())
    })
}
