//! The aux extent: an object's attributes as tagged fields, immutable once its body is active. Table: `docs/FORMAT.md`, "Aux extent".

use super::{UNIT, put_u32, put_u64, u32_at, u64_at};

pub(crate) const HEAD: usize = 24;
const MAGIC: u32 = u32::from_le_bytes(*b"FMAX");
/// Field tags. Those without a constant here are reserved: 2 DIM, 3 CLASS, 4 JSON, 5 NAMES, 6 DIMNAMES, 7 HEAP, 8 SEAL.
const NAME: u16 = 1;
/// A NAME field: sequence u64, replaced id u32, replaced generation u32 (0: none), then the name's UTF-8 bytes.
const NAMING_HEAD: usize = 16;
/// A name's length in UTF-8 bytes.
pub(crate) const MAX_NAME: usize = 4096;
/// No aux extent of this version is longer; a body that says so is damaged.
pub(crate) const MAX_NBYTES: u64 = 1 << 30;

/// A name with the act that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    pub(crate) name: String,
    /// The sequence of the act: where a crash leaves a name twice, the later act wins.
    pub(crate) seq: u64,
    /// Id and generation of the object this act took the name from, to be destroyed with it.
    pub(crate) replaces: Option<(u32, u32)>,
}

/// Attributes of one body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aux {
    pub(crate) naming: Option<Naming>,
}

impl Aux {
    /// Bytes of the extent that holds this name, known before the numbers that go with it; 0: no name, no extent.
    pub(crate) fn nbytes_with(name: Option<&str>) -> u64 {
        name.map_or(0, |n| {
            let field = (NAMING_HEAD + n.len()).next_multiple_of(8);
            ((HEAD + 8 + field) as u64).next_multiple_of(UNIT)
        })
    }

    /// Bytes with padding to a whole number of units; empty when there is nothing to say.
    pub(crate) fn encode(&self, id: u32, generation: u32, out: &mut Vec<u8>) {
        out.clear();
        let Some(naming) = &self.naming else { return };
        let (old_id, old_generation) = naming.replaces.unwrap_or((0, 0));
        out.resize(HEAD, 0);
        let mut fixed = [0u8; NAMING_HEAD];
        put_u64(&mut fixed, 0, naming.seq);
        put_u32(&mut fixed, 8, old_id);
        put_u32(&mut fixed, 12, old_generation);
        field(out, NAME, &[&fixed, naming.name.as_bytes()]);
        let used = out.len() as u32;
        out.resize((used as usize).next_multiple_of(UNIT as usize), 0);
        put_u32(out, 0, MAGIC);
        put_u32(out, 4, id);
        put_u32(out, 8, generation);
        put_u32(out, 12, used);
        let crc = checksum(&out[..used as usize]);
        put_u32(out, 16, crc);
    }

    /// Bytes worth reading of an extent of `nbytes` that starts with `head`: those its fields fill, or, where they cannot be right, the head.
    pub(crate) fn nbytes_used(head: &[u8; HEAD], nbytes: u64) -> u64 {
        let used = u64::from(u32_at(head, 12));
        if u32_at(head, 0) == MAGIC && used <= nbytes { used.max(HEAD as u64) } else { HEAD as u64 }
    }

    /// What is wrong, in words.
    pub(crate) fn decode(b: &[u8], id: u32, generation: u32) -> Result<Self, &'static str> {
        let mut aux = Self::default();
        if b.is_empty() {
            return Ok(aux);
        }
        if b.len() < HEAD || u32_at(b, 0) != MAGIC {
            return Err("attributes: no aux extent here");
        }
        if u32_at(b, 4) != id || u32_at(b, 8) != generation {
            return Err("attributes: of another object");
        }
        let used = u32_at(b, 12) as usize;
        if used < HEAD || used > b.len() {
            return Err("attributes: length out of range");
        }
        let b = &b[..used];
        if checksum(b) != u32_at(b, 16) {
            return Err("attributes: wrong checksum");
        }
        let mut at = HEAD;
        while at < used {
            let Some(head) = b.get(at..at + 8) else { return Err("attributes: field cut short") };
            let tag = u16::from_le_bytes([head[0], head[1]]);
            let nbytes = u32_at(head, 4) as usize;
            let Some(value) = b.get(at + 8..).and_then(|r| r.get(..nbytes)) else {
                return Err("attributes: field cut short");
            };
            match tag {
                NAME if aux.naming.is_some() => return Err("attributes: two names"),
                NAME => {
                    if value.len() <= NAMING_HEAD || value.len() > NAMING_HEAD + MAX_NAME {
                        return Err("attributes: name length out of range");
                    }
                    let name = std::str::from_utf8(&value[NAMING_HEAD..])
                        .map_err(|_| "attributes: name is not UTF-8")?;
                    let old = (u32_at(value, 8), u32_at(value, 12));
                    aux.naming = Some(Naming {
                        name: name.to_owned(),
                        seq: u64_at(value, 0),
                        replaces: (old.1 != 0).then_some(old),
                    });
                }
                _ => return Err("attributes: a field this version does not know; update rfmalloc"),
            }
            at += 8 + nbytes.next_multiple_of(8);
        }
        Ok(aux)
    }
}

/// Header 8 bytes {tag u16, zero u16, nbytes u32}, value, zeros to a multiple of 8.
fn field(out: &mut Vec<u8>, tag: u16, parts: &[&[u8]]) {
    let nbytes: usize = parts.iter().map(|p| p.len()).sum();
    out.extend_from_slice(&tag.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(nbytes as u32).to_le_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    out.resize(out.len().next_multiple_of(8), 0);
}

/// CRC-32C of all used bytes but the checksum itself (16–19).
fn checksum(b: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&b[..16]), &b[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_input_is_read_beyond_its_end() {
        let mut good = Vec::new();
        let naming = Naming { name: "weights of the cohort".into(), seq: 9, replaces: Some((3, 4)) };
        Aux { naming: Some(naming.clone()) }.encode(5, 6, &mut good);
        assert_eq!(good.len() as u64, Aux::nbytes_with(Some(&naming.name)));
        assert_eq!(Aux::decode(&good, 5, 6).unwrap().naming, Some(naming));
        assert!(Aux::decode(&good, 5, 7).is_err());
        for n in 1..good.len() {
            let _ = Aux::decode(&good[..n], 5, 6);
        }
        let used = u32_at(&good, 12) as usize;
        for bit in (0..used * 8).step_by(if cfg!(miri) { 11 } else { 1 }) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Aux::decode(&bad, 5, 6).is_err(), "bit {bit}");
        }
    }
}
