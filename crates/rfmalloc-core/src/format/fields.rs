//! The single fields of an aux extent: how each is written and what is believed of it. Table: `docs/FORMAT.md`, "Aux extent".
//!
//! Every field stands once, user attributes once a key. What a field says is checked here as far as it can be without the object it is
//! of; what it must have in common with that object (lengths, kinds of children) is checked where the object is known.

use super::aux::{Aux, MAX_NAME};
use super::{put_u32, put_u64, u32_at, u64_at};

/// Field tags. 3 is not in use.
const NAME: u16 = 1;
const DIM: u16 = 2;
const USER: u16 = 4;
const NAMES: u16 = 5;
const DIMNAMES: u16 = 6;
const HEAP: u16 = 7;
const SEAL: u16 = 8;
const ROW_NAMES: u16 = 9;

/// A NAME field: sequence u64, replaced id u32, replaced generation u32 (0: none), then the name's UTF-8 bytes.
const NAMING_HEAD: usize = 16;
/// A SEAL field: block bytes u32, checksums u32, CRC-32C of their array u32, zero u32, where the array stands in the extent u64.
const SEAL_NBYTES: usize = 24;
/// Payload bytes under one checksum of a seal.
pub(crate) const SEAL_BLOCK: u32 = 1 << 20;
/// An array has at most this many dimensions.
pub(crate) const MAX_RANK: usize = 255;
/// An extent of an array is at most this (R's limit).
pub(crate) const MAX_EXTENT: u64 = i32::MAX as u64;
/// UTF-8 bytes of the longest key of a user attribute.
pub(crate) const MAX_KEY: usize = 255;
/// An object has at most this many string heaps, each below 2 GiB.
pub(crate) const MAX_HEAPS: usize = 8192;

/// Id and generation of a record; no record has the generation 0.
pub(crate) type Key = (u32, u32);

/// A name with the act that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    pub(crate) name: String,
    /// The sequence of the act: where a crash leaves a name twice, the later act wins.
    pub(crate) seq: u64,
    /// Id and generation of the object this act took the name from, to be destroyed with it.
    pub(crate) replaces: Option<Key>,
}

impl Naming {
    /// The naming of the act with this sequence; `None`: it takes a name away.
    pub(crate) fn of(name: Option<(&str, Option<Key>)>, seq: u64) -> Option<Self> {
        name.map(|(name, replaces)| Self { name: name.to_owned(), seq, replaces })
    }
}

/// The shape of a matrix or array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dim {
    /// [`Dim::MATRIX`] or [`Dim::ARRAY`].
    pub(crate) class: u8,
    pub(crate) extents: Vec<u64>,
}

impl Dim {
    pub(crate) const MATRIX: u8 = 1;
    pub(crate) const ARRAY: u8 = 2;

    /// Elements; `None`: more than a number holds.
    pub(crate) fn len(&self) -> Option<u64> {
        self.extents.iter().try_fold(1u64, |n, e| n.checked_mul(*e))
    }
}

/// The row names of a data frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowNames {
    pub(crate) rows: u64,
    /// The child with the names; `None`: the rows are numbered.
    pub(crate) stored: Option<Key>,
}

/// A seal: the payload is immutable, and its checksums stand in an array behind the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Checksums: one for each [`SEAL_BLOCK`] of the payload, the last for what is left.
    pub(crate) count: u32,
    /// CRC-32C of the array.
    pub(crate) crc: u32,
    /// Where the array stands, from the start of the extent. Set by [`encode`].
    pub(crate) off: u64,
}

impl Seal {
    /// The seal of an array of checksums, little-endian.
    pub(crate) fn of(checksums: &[u8]) -> Self {
        Self { count: (checksums.len() / 4) as u32, crc: crc32c::crc32c(checksums), off: 0 }
    }

    /// Checksums that a payload of `nbytes` has.
    pub(crate) fn count_for(nbytes: u64) -> u64 {
        nbytes.div_ceil(u64::from(SEAL_BLOCK))
    }
}

/// Bytes of the field of a name.
pub(super) fn naming_nbytes(name: usize) -> usize {
    8 + (NAMING_HEAD + name).next_multiple_of(8)
}

/// Appends all fields; the array of a seal follows the last one, which SEAL is.
pub(super) fn encode(aux: &Aux, out: &mut Vec<u8>) {
    if let Some(naming) = &aux.naming {
        let (old_id, old_generation) = naming.replaces.unwrap_or((0, 0));
        let mut fixed = [0u8; NAMING_HEAD];
        put_u64(&mut fixed, 0, naming.seq);
        put_u32(&mut fixed, 8, old_id);
        put_u32(&mut fixed, 12, old_generation);
        put(out, NAME, &[&fixed, naming.name.as_bytes()]);
    }
    if let Some(dim) = &aux.dim {
        let mut value = vec![0; 8 + 8 * dim.extents.len()];
        put_u32(&mut value, 0, u32::from(dim.class));
        put_u32(&mut value, 4, dim.extents.len() as u32);
        for (i, e) in dim.extents.iter().enumerate() {
            put_u64(&mut value, 8 + 8 * i, *e);
        }
        put(out, DIM, &[&value]);
    }
    if let Some(key) = aux.names {
        put(out, NAMES, &[&key_bytes(Some(key))]);
    }
    if !aux.dimnames.is_empty() {
        let value: Vec<u8> = aux.dimnames.iter().flat_map(|key| key_bytes(*key)).collect();
        put(out, DIMNAMES, &[&value]);
    }
    if let Some(rows) = &aux.row_names {
        put(out, ROW_NAMES, &[&rows.rows.to_le_bytes(), &key_bytes(rows.stored)]);
    }
    if !aux.heap.is_empty() {
        let value: Vec<u8> = aux.heap.iter().flat_map(|key| key_bytes(Some(*key))).collect();
        put(out, HEAP, &[&value]);
    }
    for (key, json) in &aux.user {
        put(out, USER, &[&(key.len() as u32).to_le_bytes(), key.as_bytes(), json.as_bytes()]);
    }
    if let Some(seal) = &aux.seal {
        let mut fixed = [0u8; SEAL_NBYTES];
        put_u32(&mut fixed, 0, SEAL_BLOCK);
        put_u32(&mut fixed, 4, seal.count);
        put_u32(&mut fixed, 8, seal.crc);
        put_u64(&mut fixed, 16, (out.len() + 8 + SEAL_NBYTES) as u64);
        put(out, SEAL, &[&fixed]);
    }
}

/// Header 8 bytes {tag u16, zero u16, nbytes u32}, value, zeros to a multiple of 8.
fn put(out: &mut Vec<u8>, tag: u16, parts: &[&[u8]]) {
    let nbytes: usize = parts.iter().map(|p| p.len()).sum();
    out.extend_from_slice(&tag.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(nbytes as u32).to_le_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    out.resize(out.len().next_multiple_of(8), 0);
}

fn key_bytes(key: Option<Key>) -> [u8; 8] {
    let (id, generation) = key.unwrap_or((0, 0));
    let mut b = [0; 8];
    put_u32(&mut b, 0, id);
    put_u32(&mut b, 4, generation);
    b
}

/// Adds a field to what was read so far. `bounds`: where the fields and where the extent end.
pub(super) fn decode(aux: &mut Aux, tag: u16, value: &[u8], bounds: (u64, u64)) -> Result<(), &'static str> {
    match tag {
        NAME if aux.naming.is_some() => return Err("attributes: two names"),
        NAME => aux.naming = Some(decode_naming(value)?),
        DIM if aux.dim.is_some() => return Err("attributes: two shapes"),
        DIM => aux.dim = Some(decode_dim(value)?),
        NAMES if aux.names.is_some() => return Err("attributes: element names twice"),
        NAMES => aux.names = Some(key_in(value)?),
        DIMNAMES if !aux.dimnames.is_empty() => return Err("attributes: dimnames twice"),
        DIMNAMES => aux.dimnames = decode_keys(value, MAX_RANK, "attributes: dimnames out of range")?,
        ROW_NAMES if aux.row_names.is_some() => return Err("attributes: row names twice"),
        ROW_NAMES => aux.row_names = Some(decode_row_names(value)?),
        HEAP if !aux.heap.is_empty() => return Err("attributes: string heaps twice"),
        HEAP => {
            let keys = decode_keys(value, MAX_HEAPS, "attributes: string heaps out of range")?;
            aux.heap = keys
                .into_iter()
                .collect::<Option<_>>()
                .ok_or("attributes: a string heap without a record")?;
        }
        USER => {
            let (key, json) = decode_user(value)?;
            if aux.user.iter().any(|(k, _)| *k == key) {
                return Err("attributes: a user attribute twice");
            }
            aux.user.push((key, json));
        }
        SEAL if aux.seal.is_some() => return Err("attributes: two seals"),
        SEAL => aux.seal = Some(decode_seal(value, bounds)?),
        _ => return Err("attributes: a field this version does not know; update rfmalloc"),
    }
    Ok(())
}

fn decode_naming(value: &[u8]) -> Result<Naming, &'static str> {
    if value.len() <= NAMING_HEAD || value.len() > NAMING_HEAD + MAX_NAME {
        return Err("attributes: name length out of range");
    }
    let name =
        std::str::from_utf8(&value[NAMING_HEAD..]).map_err(|_| "attributes: name is not UTF-8")?.to_owned();
    let old = (u32_at(value, 8), u32_at(value, 12));
    Ok(Naming { name, seq: u64_at(value, 0), replaces: (old.1 != 0).then_some(old) })
}

fn decode_dim(value: &[u8]) -> Result<Dim, &'static str> {
    const WRONG: &str = "attributes: dimensions out of range";
    if value.len() < 8 {
        return Err(WRONG);
    }
    let (class, rank) = (u32_at(value, 0), u32_at(value, 4) as usize);
    let is_known = class == u32::from(Dim::MATRIX) && rank == 2 || class == u32::from(Dim::ARRAY);
    if !is_known || rank == 0 || rank > MAX_RANK || value.len() != 8 + 8 * rank {
        return Err(WRONG);
    }
    let extents: Vec<u64> = (0..rank).map(|i| u64_at(value, 8 + 8 * i)).collect();
    if extents.iter().any(|e| *e > MAX_EXTENT) {
        return Err(WRONG);
    }
    Ok(Dim { class: class as u8, extents })
}

fn key_in(value: &[u8]) -> Result<Key, &'static str> {
    match decode_keys(value, 1, "attributes: names out of range")?[..] {
        [Some(key)] => Ok(key),
        _ => Err("attributes: names without a record"),
    }
}

/// Keys one after the other; generation 0: none.
fn decode_keys(value: &[u8], most: usize, wrong: &'static str) -> Result<Vec<Option<Key>>, &'static str> {
    if value.is_empty() || !value.len().is_multiple_of(8) || value.len() / 8 > most {
        return Err(wrong);
    }
    Ok(value.chunks_exact(8).map(|b| (u32_at(b, 0), u32_at(b, 4))).map(|k| (k.1 != 0).then_some(k)).collect())
}

fn decode_row_names(value: &[u8]) -> Result<RowNames, &'static str> {
    if value.len() != 16 || u64_at(value, 0) > crate::dtype::MAX_LEN {
        return Err("attributes: row names out of range");
    }
    let key = (u32_at(value, 8), u32_at(value, 12));
    Ok(RowNames { rows: u64_at(value, 0), stored: (key.1 != 0).then_some(key) })
}

fn decode_user(value: &[u8]) -> Result<(String, String), &'static str> {
    const WRONG: &str = "attributes: a user attribute out of range";
    let Some((head, rest)) = value.split_first_chunk::<4>() else { return Err(WRONG) };
    let nbytes = u32::from_le_bytes(*head) as usize;
    if nbytes == 0 || nbytes > MAX_KEY || nbytes > rest.len() {
        return Err(WRONG);
    }
    let (key, json) = rest.split_at(nbytes);
    let text = |b: &[u8]| std::str::from_utf8(b).map(str::to_owned);
    match (text(key), text(json)) {
        (Ok(key), Ok(json)) => Ok((key, json)),
        _ => Err("attributes: a user attribute is not UTF-8"),
    }
}

/// `bounds`: where the fields and where the extent end.
fn decode_seal(value: &[u8], (used, nbytes): (u64, u64)) -> Result<Seal, &'static str> {
    if value.len() != SEAL_NBYTES || u32_at(value, 0) != SEAL_BLOCK {
        return Err("attributes: a seal this version does not know; update rfmalloc");
    }
    let seal = Seal { count: u32_at(value, 4), crc: u32_at(value, 8), off: u64_at(value, 16) };
    let end = seal.off.checked_add(4 * u64::from(seal.count));
    if seal.off < used || end.is_none_or(|end| end > nbytes) {
        return Err("attributes: the seal's checksums lie outside their extent");
    }
    Ok(seal)
}
