//! Subscripts by name: the first name that matches exactly. Unknown names, the empty one and NA match nothing.

use super::MISSING;
use crate::error::Result;
use hashbrown::HashMap;

/// Texts in order: names, or a subscript of them. Implemented by a store's character vectors.
pub(crate) trait Texts {
    /// How many.
    fn len(&self) -> u64;

    /// Calls `f` with the texts `[start, start + n)` in order (`None`: NA), until it answers false.
    ///
    /// # Errors
    /// What reading them meets.
    fn each(&self, start: u64, n: u64, f: &mut dyn FnMut(Option<&str>) -> bool) -> Result<()>;
}

/// What an assignment by name needs: where, and which subscripts are new elements.
pub(super) struct Named {
    pub(super) positions: Vec<u64>,
    /// Indices into the subscript, in the order of the new elements.
    pub(super) fresh: Vec<u64>,
}

fn usable(text: Option<&str>) -> Option<&str> {
    text.filter(|s| !s.is_empty())
}

/// The position of each of the texts `[start, start + n)` of `wanted` among `names`, or [`MISSING`].
pub(super) fn lookup(names: Option<&dyn Texts>, wanted: &dyn Texts, start: u64, n: u64) -> Result<Vec<u64>> {
    let Some(names) = names else { return Ok(vec![MISSING; n as usize]) };
    // Whichever side is shorter is hashed, and the other read through.
    if names.len() <= n { by_names(names, wanted, start, n) } else { by_wanted(names, wanted, start, n) }
}

fn by_names(names: &dyn Texts, wanted: &dyn Texts, start: u64, n: u64) -> Result<Vec<u64>> {
    let mut first = HashMap::<Box<str>, u64>::with_capacity(names.len() as usize);
    let mut at = 0;
    names.each(0, names.len(), &mut |name| {
        if let Some(s) = usable(name)
            && !first.contains_key(s)
        {
            first.insert(s.into(), at);
        }
        at += 1;
        true
    })?;
    let mut positions = Vec::with_capacity(n as usize);
    wanted.each(start, n, &mut |text| {
        positions.push(usable(text).and_then(|s| first.get(s).copied()).unwrap_or(MISSING));
        true
    })?;
    positions.resize(n as usize, MISSING);
    Ok(positions)
}

fn by_wanted(names: &dyn Texts, wanted: &dyn Texts, start: u64, n: u64) -> Result<Vec<u64>> {
    // Equal subscripts share one entry of `found`.
    let mut entry = HashMap::<Box<str>, usize>::with_capacity(n as usize);
    let (mut found, mut entries) = (Vec::new(), Vec::with_capacity(n as usize));
    wanted.each(start, n, &mut |text| {
        entries.push(usable(text).map(|s| {
            if let Some(&e) = entry.get(s) {
                return e;
            }
            found.push(MISSING);
            entry.insert(s.into(), found.len() - 1);
            found.len() - 1
        }));
        true
    })?;
    let (mut at, mut open) = (0, found.len());
    if open > 0 {
        names.each(0, names.len(), &mut |name| {
            if let Some(&e) = usable(name).and_then(|s| entry.get(s))
                && found[e] == MISSING
            {
                found[e] = at;
                open -= 1;
            }
            at += 1;
            open > 0
        })?;
    }
    let mut positions: Vec<u64> = entries.iter().map(|e| e.map_or(MISSING, |e| found[e])).collect();
    positions.resize(n as usize, MISSING);
    Ok(positions)
}

/// The same for writing to a vector of `len` elements: unknown names are new elements behind the end, equal ones the same element; the
/// empty name and NA a new one each time.
pub(super) fn lookup_or_append(names: Option<&dyn Texts>, wanted: &dyn Texts, len: u64) -> Result<Named> {
    let mut positions = lookup(names, wanted, 0, wanted.len())?;
    let mut fresh = Vec::new();
    if positions.contains(&MISSING) {
        let mut known = HashMap::<Box<str>, u64>::new();
        let mut at = 0;
        wanted.each(0, wanted.len(), &mut |text| {
            let Some(p) = positions.get_mut(at as usize) else { return false };
            if *p == MISSING {
                let new = len + fresh.len() as u64;
                *p = match usable(text) {
                    Some(s) => *known.entry_ref(s).or_insert(new),
                    None => new,
                };
                if *p == new {
                    fresh.push(at);
                }
            }
            at += 1;
            true
        })?;
    }
    Ok(Named { positions, fresh })
}
