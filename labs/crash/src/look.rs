//! Looking at a store through its public calls.

use crate::model::{Bytes, Model, Name, Picture, Ref, Seen, brief};
use rfmalloc_core::{Code, Handle, OpenOptions, Pin, Store};
use std::sync::Arc;

/// More slots than any store of these programs has.
const MOST_SLOTS: u64 = 4096;

/// Options of a store that was booted as `boot`: nothing in the background, no more address space than needed.
pub fn booted(boot: u8) -> OpenOptions {
    OpenOptions {
        sync_every: None,
        boot_id: Some([boot; 16]),
        max_size: Some(64 << 20),
        create: false,
        ..OpenOptions::default()
    }
}

/// The words of an error.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub fn text(e: rfmalloc_core::Error) -> String {
    e.to_string()
}

/// All bytes under a pin.
pub fn read_pin(pin: &Pin) -> Vec<u8> {
    let mut out = vec![0u8; pin.nbytes() as usize];
    // SAFETY: the pin keeps its range mapped; the elements are touched by copies only.
    unsafe { std::ptr::copy_nonoverlapping(pin.ptr(), out.as_mut_ptr(), out.len()) }
    out
}

/// All element bytes of an object.
pub fn read(handle: &Handle) -> Result<Bytes, String> {
    if handle.facts().nbytes == 0 {
        return Ok(Arc::from([]));
    }
    Ok(read_pin(&handle.pin(0, handle.facts().nbytes).map_err(text)?).into())
}

/// Writes element bytes in place at `start`, as a view does.
pub fn write(handle: &Handle, start: u64, bytes: &[u8]) -> Result<(), rfmalloc_core::Error> {
    write_pin(&handle.pin(start, bytes.len() as u64)?, bytes);
    Ok(())
}

/// Writes the bytes under a pin.
///
/// # Panics
/// The pin is shorter.
pub fn write_pin(pin: &Pin, bytes: &[u8]) {
    assert!(bytes.len() as u64 <= pin.nbytes());
    // SAFETY: as above, and inside the pin's range.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pin.ptr(), bytes.len()) }
}

/// Everything that is there.
pub fn look(store: &Store, models: &[Model]) -> Result<Picture, String> {
    let mut picture = Picture::default();
    for row in store.allocations().map_err(text)? {
        if row.state == "unknown" {
            return Err(format!("damaged record at byte {}", row.record_off));
        }
        if row.state != "committed" {
            continue;
        }
        let generation = u64::from(row.generation);
        let known = models.iter().find_map(|m| m.by_generation(generation));
        let handle = match known {
            Some((id, _)) => store.open_id(id, generation),
            // Rows do not tell ids.
            None => (0..MOST_SLOTS)
                .find_map(|id| store.open_id(id, generation).ok())
                .map_or_else(|| store.open_id(0, generation), Ok),
        }
        .map_err(|e| format!("generation {generation}, {:?}: {e}", row.name))?;
        let name = row.name.as_deref().map(Name::from);
        if let Some(n) = &name
            && store.open_name(n).map_err(text)?.is_none()
        {
            return Err(format!("{n:?} has a record and is not found"));
        }
        let r: Ref = (handle.facts().id, handle.facts().generation);
        if r.1 != generation {
            return Err(format!("generation {generation} is found as {r:?}"));
        }
        let bytes = read(&handle).map_err(|e| format!("{r:?}: {e}"))?;
        if picture
            .objects
            .insert(r, Seen { name, bytes, sealed: handle.facts().sealed, off: handle.facts().off })
            .is_some()
        {
            return Err(format!("{r:?} stands twice"));
        }
    }
    for name in store.names().map_err(text)? {
        let handle = store
            .open_name(&name)
            .map_err(text)?
            .ok_or_else(|| format!("{name:?} is listed and not found"))?;
        picture.names.insert(Name::from(name), (handle.facts().id, handle.facts().generation));
    }
    for seen in picture.objects.values() {
        if let Some(name) = &seen.name
            && !picture.names.contains_key(name)
        {
            return Err(format!("{name:?} is an object's name and finds none"));
        }
    }
    Ok(picture)
}

/// `verify()` finds nothing.
pub fn no_faults(store: &Store, models: &[Model], when: &str) -> Result<(), String> {
    let faults = faults(store, models, when)?;
    if faults.is_empty() { Ok(()) } else { Err(format!("faults {when}: {faults:?}")) }
}

/// What `verify()` finds, but for elements that were kept unverified under a seal.
fn faults(store: &Store, models: &[Model], when: &str) -> Result<Vec<rfmalloc_core::Fault>, String> {
    let mut faults = store.verify_payloads().map_err(|e| format!("verify {when}: {e}"))?.faults;
    let is_excused = |f: &rfmalloc_core::Fault| {
        f.place == "payload"
            && f.id.is_some_and(|id| models.iter().any(|m| m.has_unverified_seal(u64::from(id))))
    };
    faults.retain(|f| !is_excused(f));
    Ok(faults)
}

/// The same of an image nobody has changed: one copy of the superblock may be torn, for which there are two.
///
/// # Errors
/// The faults.
pub fn no_faults_but_a_torn_superblock(store: &Store, models: &[Model], when: &str) -> Result<(), String> {
    let mut faults = faults(store, models, when)?;
    let is_torn = |f: &rfmalloc_core::Fault| f.place == "superblock" && f.what.contains("wrong checksum");
    if let Some(torn) = faults.iter().position(is_torn) {
        faults.remove(torn);
    }
    if faults.is_empty() { Ok(()) } else { Err(format!("faults {when}: {faults:?}")) }
}

/// What is gone answers as gone.
pub fn is_stale(store: &Store, r: Ref) -> Result<(), String> {
    match store.open_id(r.0, r.1) {
        Err(e) if e.code() == Code::StaleRef => Ok(()),
        Err(e) => Err(format!("{r:?} is gone, but: {e}")),
        Ok(_) => Err(format!("{r:?} is gone and opens")),
    }
}

/// The first difference of two pictures.
pub fn same(a: &Picture, b: &Picture, when: &str) -> Result<(), String> {
    for (r, seen) in &a.objects {
        match b.objects.get(r) {
            None => return Err(format!("{r:?} ({:?}) is gone {when}", seen.name)),
            Some(now) if now.bytes != seen.bytes => {
                return Err(format!(
                    "{r:?} changed {when}: {} became {}",
                    brief(&seen.bytes),
                    brief(&now.bytes)
                ));
            }
            Some(now) if now.sealed != seen.sealed => return Err(format!("{r:?} was sealed or not {when}")),
            Some(now) if now.name != seen.name => {
                return Err(format!("{r:?} changed its name {when}: {:?} became {:?}", seen.name, now.name));
            }
            Some(_) => {}
        }
    }
    if let Some(r) = b.objects.keys().find(|r| !a.objects.contains_key(r)) {
        return Err(format!("{r:?} came to be {when}"));
    }
    if a.names == b.names {
        Ok(())
    } else {
        Err(format!("names changed {when}: {:?} became {:?}", a.names, b.names))
    }
}
