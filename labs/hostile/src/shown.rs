//! What a store shows to one who only looks.

use crate::layout::{FIRST_SEGMENT, Layout, segment_nbytes};
use rfmalloc_core::{Code, Detail, Dtype, Error, Handle, Store, Vector};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// One object that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its generation.
    pub generation: u32,
    /// Type code, kind, elements.
    pub shape: (u8, u8, u64),
    /// Checksum of its element bytes (of the ends, where there are many); `Err`: some text or some cells are refused.
    pub elements: Result<u32, Code>,
    /// It says that it is a part of another object: if that does not name it, the first change ends it.
    pub part: bool,
    /// Its name; `Err`: refused.
    pub name: Result<Option<String>, Code>,
}

/// What was shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Objects by id.
    pub objects: BTreeMap<u32, Object>,
    /// Ids whose objects were refused.
    pub refused: BTreeMap<u32, Code>,
    /// All names.
    pub names: Option<Vec<String>>,
    /// The object that each name leads to.
    pub by_name: BTreeMap<String, Option<u32>>,
    /// Names of objects whose type is not read here: they hold the name all the same.
    pub taken: BTreeSet<String>,
}

/// A long payload is read at its ends only.
const WHOLE: u64 = 4 << 20;
const ENDS: u64 = 1 << 16;
/// Of strings and cells, the first are read.
const MOST_READ: u64 = 64;

/// What an error of a hostile file must be: one of these codes, and damage with its place.
///
/// # Errors
/// What is wrong with it.
pub fn check_error(doing: &str, e: &Error, allowed: &[Code]) -> Result<(), String> {
    let has = |key: &str| e.details().iter().any(|(k, d)| *k == key && matches!(d, Detail::Number(_)));
    if !allowed.contains(&e.code()) {
        return Err(format!("{doing}: unexpected {e}"));
    }
    match e.code() {
        Code::Corrupt if !has("offset") => Err(format!("{doing}: an error without its place: {e}")),
        Code::Truncated if !has("nbytes") => Err(format!("{doing}: an error without the length: {e}")),
        _ => Ok(()),
    }
}

/// Looks at these slots and at everything else.
///
/// # Errors
/// Something that must not happen.
pub fn look(store: &Store, file: &File, layout: &Layout, ids: &BTreeSet<u32>) -> Result<Shown, String> {
    let mut shown = Shown::default();
    for id in ids {
        let Some((_, slot)) = layout.place(*id) else { continue };
        let mut b = [0; 4];
        if file.read_exact_at(&mut b, slot + 4).is_err() {
            continue;
        }
        let generation = u32::from_le_bytes(b);
        match store.open_id(u64::from(*id), u64::from(generation)) {
            Err(e) if e.code() == Code::StaleRef => {}
            Err(e) => {
                check_error(&format!("open record {id}"), &e, &[Code::Corrupt, Code::Unsupported])?;
                shown.refused.insert(*id, e.code());
            }
            Ok(h) => {
                let f = h.facts();
                in_place(file, layout, *id, f.off, f.nbytes)?;
                let name = match h.name() {
                    Ok(n) => Ok(n),
                    Err(e) => {
                        check_error(&format!("name of record {id}"), &e, &[Code::Corrupt])?;
                        Err(e.code())
                    }
                };
                let elements = match read(store, &h) {
                    Ok(sum) => Ok(sum),
                    Err(e) if matches!(f.dtype, Dtype::Character | Dtype::List) => {
                        check_error(&format!("read record {id}"), &e, &[Code::Corrupt, Code::StaleRef])?;
                        Err(e.code())
                    }
                    Err(e) => return Err(format!("read record {id}: {e}")),
                };
                let shape = (f.dtype.code(), f.kind, f.len);
                let part = f.owned;
                shown.objects.insert(*id, Object { generation, shape, elements, part, name });
            }
        }
    }
    names(store, &mut shown)?;
    let info = store.info().map_err(|e| format!("info: {e}"))?;
    let rows = store.allocations().map_err(|e| format!("allocations: {e}"))?;
    store.summary().map_err(|e| format!("summary: {e}"))?;
    if store.mode() == rfmalloc_core::Mode::Persistent {
        let live = rows.iter().filter(|r| r.state == "committed").count() as u64;
        let bad = rows.iter().filter(|r| r.state == "unknown").count() as u64;
        let parts = parts(file, layout);
        if live > info.catalog_count || live + bad + parts < info.catalog_count {
            let count = info.catalog_count;
            return Err(format!(
                "info counts {count} records, the list has {live}, parts are {parts} at most"
            ));
        }
    }
    Ok(shown)
}

/// Slots that say they are another object's part, which no list shows.
fn parts(file: &File, layout: &Layout) -> u64 {
    let is_part = |slot: u64| {
        let mut b = [0; 4];
        file.read_exact_at(&mut b, slot + 20).is_ok() && b != [0; 4]
    };
    layout.slots().filter(|(_, _, slot)| is_part(*slot)).count() as u64
}

/// Elements lie in the file, and neither in its header nor in its catalog.
fn in_place(file: &File, layout: &Layout, id: u32, off: u64, nbytes: u64) -> Result<(), String> {
    if nbytes == 0 {
        return Ok(());
    }
    let len = file.metadata().map_err(|e| format!("the bench: {e}"))?.len();
    let end = off.checked_add(nbytes).filter(|end| *end <= len && off >= FIRST_SEGMENT);
    let end = end.ok_or_else(|| format!("record {id} is shown at {off}+{nbytes}, outside the file"))?;
    let mut segments = layout.segments.iter();
    match segments.find(|s| off < s.off + segment_nbytes(s.slots) && s.off < end) {
        Some(s) => {
            Err(format!("record {id} is shown at {off}+{nbytes}, over the catalog segment at {}", s.off))
        }
        None => Ok(()),
    }
}

fn read(store: &Store, h: &Handle) -> rfmalloc_core::Result<u32> {
    match h.facts().dtype {
        Dtype::Character => return read_text(store, h),
        Dtype::List => return read_cells(store, h),
        _ => {}
    }
    let n = h.facts().nbytes;
    let part = |from, n| -> rfmalloc_core::Result<u32> {
        let pin = h.pin(from, n)?;
        // SAFETY: the pin keeps the bytes mapped; nobody else has this file open.
        Ok(crc32c::crc32c(unsafe { std::slice::from_raw_parts(pin.ptr(), pin.nbytes() as usize) }))
    };
    if n <= WHOLE {
        return part(0, n);
    }
    Ok(part(0, ENDS)?.wrapping_mul(31).wrapping_add(part(n - ENDS, ENDS)?))
}

/// The first strings.
fn read_text(store: &Store, h: &Handle) -> rfmalloc_core::Result<u32> {
    let text = Vector::Object(store.open_id(h.facts().id, h.facts().generation)?);
    let list = text.strings(0, text.len().min(MOST_READ), 1 << 20)?;
    Ok(crc32c::crc32c(list.bytes()) ^ list.len() as u32)
}

/// Where the first cells lead.
fn read_cells(store: &Store, h: &Handle) -> rfmalloc_core::Result<u32> {
    (0..h.facts().len.min(MOST_READ)).try_fold(0u32, |sum, i| {
        let to = store.list_get(h, i)?.map_or(0, |item| item.facts().id as u32 + 1);
        Ok(sum.wrapping_mul(31).wrapping_add(to))
    })
}

fn names(store: &Store, shown: &mut Shown) -> Result<(), String> {
    let codes = [Code::Corrupt];
    let mut some: BTreeSet<String> = ["counts", "weights", "v0", "never there"].map(String::from).into();
    some.extend(shown.objects.values().filter_map(|o| o.name.clone().ok().flatten()).take(8));
    match store.names() {
        Ok(list) => {
            some.extend(list.iter().take(8).cloned());
            let n = store.named_count().map_err(|e| format!("named_count: {e}"))?;
            if n != list.len() as u64 {
                return Err(format!("{n} names are counted, {} are listed", list.len()));
            }
            shown.names = Some(list);
        }
        Err(e) => check_error("names", &e, &codes)?,
    }
    for name in some {
        match store.open_name(&name) {
            Ok(h) => {
                let id = h.map(|h| h.facts().id as u32);
                if let Some(list) = &shown.names
                    && id.is_some() != list.contains(&name)
                {
                    return Err(format!("'{name}' leads to {id:?}, and is listed: {}", id.is_none()));
                }
                shown.by_name.insert(name, id);
            }
            Err(e) => {
                check_error("open by name", &e, &[Code::Corrupt, Code::Unsupported])?;
                if e.code() == Code::Unsupported {
                    shown.taken.insert(name);
                }
            }
        }
    }
    Ok(())
}

impl Shown {
    /// Objects whose name another one has too and that the name does not lead to: rule 15 lets the next named change take name or life. And
    /// parts, which are no objects by themselves.
    #[must_use]
    pub fn losers(&self, all: &BTreeMap<String, Vec<u32>>) -> BTreeSet<u32> {
        let mut out = BTreeSet::new();
        for ids in all.values().filter(|ids| ids.len() > 1) {
            out.extend(ids.iter().copied());
        }
        for id in self.by_name.values().flatten() {
            out.remove(id);
        }
        for name in &self.taken {
            out.extend(all.get(name).into_iter().flatten());
        }
        out.extend(self.parts());
        out
    }

    /// Ids of what says that it is a part.
    fn parts(&self) -> impl Iterator<Item = u32> + '_ {
        self.objects.iter().filter(|(_, o)| o.part).map(|(id, _)| *id)
    }

    /// Ids by name.
    #[must_use]
    pub fn named(&self) -> BTreeMap<String, Vec<u32>> {
        let mut all: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (id, o) in &self.objects {
            if let Ok(Some(n)) = &o.name {
                all.entry(n.clone()).or_default().push(*id);
            }
        }
        all
    }

    /// What `after` does not show as this did; objects in `except` may have changed.
    #[must_use]
    pub fn lost(&self, after: &Self, except: &BTreeSet<u32>) -> Option<String> {
        self.objects.iter().filter(|(id, _)| !except.contains(id)).find_map(|(id, o)| {
            match after.objects.get(id) {
                Some(now) if now == o => None,
                Some(now) => Some(format!("record {id} was {o:?} and is {now:?}")),
                None => Some(format!("record {id} was {o:?} and is gone ({:?})", after.refused.get(id))),
            }
        })
    }
}
