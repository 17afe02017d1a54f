//! The aux extent: an object's attributes as tagged fields, immutable once its body is active. Table: `docs/FORMAT.md`, "Aux extent".
//!
//! Holds: the container with its header and checksum, and what an object's attributes are ([`Aux`]). The single fields are in `fields`.

use super::fields;
pub(crate) use super::fields::{Dim, Key, Naming, RowNames, SEAL_BLOCK, Seal};
use super::{UNIT, put_u32, slot, u32_at};

pub(crate) const HEAD: usize = 24;
const MAGIC: u32 = u32::from_le_bytes(*b"FMAX");
/// A name's length in UTF-8 bytes.
pub(crate) const MAX_NAME: usize = 4096;
/// No aux extent of this version is longer; a body that says so is damaged.
pub(crate) const MAX_NBYTES: u64 = 1 << 30;
/// Header and fields of this version are never longer: what is read to find a name is bounded, however long a seal's array is.
pub(crate) const MAX_USED: u64 = 1 << 20;

/// Attributes of one body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aux {
    pub(crate) naming: Option<Naming>,
    pub(crate) dim: Option<Dim>,
    /// The child with the elements' names.
    pub(crate) names: Option<Key>,
    /// One for each extent of `dim`, or empty.
    pub(crate) dimnames: Vec<Option<Key>>,
    /// Of a data frame.
    pub(crate) row_names: Option<RowNames>,
    /// The children with the bytes of long strings, by buffer index.
    pub(crate) heap: Vec<Key>,
    /// The user's attributes: key and JSON text.
    pub(crate) user: Vec<(String, String)>,
    pub(crate) seal: Option<Seal>,
}

impl Aux {
    /// Whether there is anything to say, so that an extent is needed.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The children it names: each is an object that this one owns.
    pub(crate) fn children(&self) -> impl Iterator<Item = Key> + use<'_> {
        let row_names = self.row_names.as_ref().and_then(|r| r.stored);
        let named = self.names.into_iter().chain(self.dimnames.iter().flatten().copied());
        named.chain(row_names).chain(self.heap.iter().copied())
    }

    /// The flags of a body with these attributes.
    pub(crate) fn body_flags(&self) -> u16 {
        let sealed = if self.seal.is_some() { slot::SEALED } else { 0 };
        let parts = if self.children().next().is_some() { slot::PARTS } else { 0 };
        sealed | parts | u16::from(self.dim.as_ref().map_or(0, |d| d.class)) << 1
    }

    /// [`Aux::nbytes`] of what has a name of so many bytes and nothing else.
    pub(crate) fn nbytes_named(name: usize) -> u64 {
        ((HEAD + fields::naming_nbytes(name)) as u64).next_multiple_of(UNIT)
    }

    /// Bytes of the extent that holds this, with a seal's array of `checksums` numbers. The same for any ids, generations and sequences,
    /// so it can be had before the numbers are known.
    pub(crate) fn nbytes(&self, checksums: u64) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let mut out = vec![0; HEAD];
        fields::encode(self, &mut out);
        (out.len() as u64 + 4 * checksums).next_multiple_of(UNIT)
    }

    /// Bytes with padding to a whole number of units; empty when there is nothing to say. `checksums`: the seal's array.
    pub(crate) fn encode(&self, id: u32, generation: u32, checksums: &[u8], out: &mut Vec<u8>) {
        out.clear();
        if self.is_empty() {
            return;
        }
        out.resize(HEAD, 0);
        fields::encode(self, out);
        let used = out.len();
        out.extend_from_slice(checksums);
        out.resize(out.len().next_multiple_of(UNIT as usize), 0);
        put_u32(out, 0, MAGIC);
        put_u32(out, 4, id);
        put_u32(out, 8, generation);
        put_u32(out, 12, used as u32);
        let crc = checksum(&out[..used]);
        put_u32(out, 16, crc);
    }

    /// Bytes that must be read of an extent of `nbytes` to decode it: its head says how much of it is in use. Whatever the head says,
    /// the answer lies within the extent and within [`MAX_USED`].
    pub(crate) fn nbytes_used(head: &[u8; HEAD], nbytes: u64) -> u64 {
        u64::from(u32_at(head, 12)).clamp(HEAD as u64, MAX_USED).min(nbytes)
    }

    /// Decodes the first bytes of an extent of `nbytes` bytes. The error: what is wrong, in words.
    pub(crate) fn decode(b: &[u8], nbytes: u64, id: u32, generation: u32) -> Result<Self, &'static str> {
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
            let value_nbytes = u32_at(head, 4) as usize;
            let Some(value) = b.get(at + 8..).and_then(|r| r.get(..value_nbytes)) else {
                return Err("attributes: field cut short");
            };
            fields::decode(&mut aux, tag, value, (used as u64, nbytes))?;
            at += 8 + value_nbytes.next_multiple_of(8);
        }
        aux.is_consistent().map(|()| aux)
    }

    fn is_consistent(&self) -> Result<(), &'static str> {
        match &self.dim {
            None if !self.dimnames.is_empty() => Err("attributes: dimnames without dimensions"),
            Some(dim) if !self.dimnames.is_empty() && dim.extents.len() != self.dimnames.len() => {
                Err("attributes: as many dimnames as dimensions there must be")
            }
            _ => Ok(()),
        }
    }
}

/// CRC-32C of all used bytes but the checksum itself (16–19).
fn checksum(b: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&b[..16]), &b[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named() -> Aux {
        let naming = Naming { name: "weights of the cohort".into(), seq: 9, replaces: Some((3, 4)) };
        Aux { naming: Some(naming), ..Aux::default() }
    }

    fn everything() -> Aux {
        Aux {
            dim: Some(Dim { class: Dim::MATRIX, extents: vec![3, 4] }),
            names: Some((7, 8)),
            dimnames: vec![None, Some((9, 10))],
            row_names: Some(RowNames { rows: 12, stored: Some((1, 2)) }),
            heap: vec![(11, 12), (13, 14)],
            user: vec![("unit".into(), "\"kg\"".into()), ("of".into(), "{}".into())],
            ..named()
        }
    }

    #[test]
    fn what_is_encoded_is_decoded_and_has_the_size_told_before() {
        let checksums: Vec<u8> = (0..36).collect();
        for (aux, array) in [
            (named(), None),
            (everything(), None),
            (Aux::default(), Some(&checksums[..])),
            (everything(), Some(&checksums[..])),
            (Aux::default(), Some(&[][..])),
            (Aux::default(), None),
        ] {
            let aux = Aux { seal: array.map(Seal::of), ..aux };
            let mut out = Vec::new();
            aux.encode(5, 6, array.unwrap_or(&[]), &mut out);
            if let (Some(n), true) = (&aux.naming, aux == named()) {
                assert_eq!(out.len() as u64, Aux::nbytes_named(n.name.len()));
            }
            assert_eq!(out.len() as u64, aux.nbytes(array.map_or(0, |a| a.len() as u64 / 4)));
            let found = Aux::decode(&out, out.len() as u64, 5, 6).unwrap();
            assert_eq!(Aux { seal: None, ..found.clone() }, Aux { seal: None, ..aux.clone() });
            if let (Some(seal), Some(array)) = (found.seal, array) {
                assert_eq!(&out[seal.off as usize..][..array.len()], array);
                assert_eq!(Seal { off: 0, ..seal }, Seal::of(array));
            } else {
                assert_eq!(found.seal, aux.seal);
            }
            // The head says how much is to be read, and that is enough.
            if let Some(head) = out.first_chunk() {
                let n = Aux::nbytes_used(head, out.len() as u64) as usize;
                assert_eq!(Aux::decode(&out[..n], out.len() as u64, 5, 6).unwrap(), found);
            }
        }
    }

    #[test]
    fn no_input_is_read_beyond_its_end() {
        let checksums = [7u8; 400];
        let mut good = Vec::new();
        let aux = Aux { seal: Some(Seal::of(&checksums)), ..everything() };
        aux.encode(5, 6, &checksums, &mut good);
        let nbytes = good.len() as u64;
        assert!(Aux::decode(&good, nbytes, 5, 6).is_ok());
        assert!(Aux::decode(&good, nbytes, 5, 7).is_err());
        assert!(Aux::decode(&good, nbytes - 64, 5, 6).is_err(), "an array that reaches beyond the extent");
        for n in 1..good.len() {
            let _ = Aux::decode(&good[..n], nbytes, 5, 6);
        }
        let used = u32_at(&good, 12) as usize;
        for bit in (0..used * 8).step_by(if cfg!(miri) { 11 } else { 1 }) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Aux::decode(&bad, nbytes, 5, 6).is_err(), "bit {bit}");
        }
    }

    /// A forged checksum is easily made: what the fields say must hold by itself.
    #[test]
    fn fields_that_contradict_themselves_are_refused_whatever_the_checksum() {
        let forged = [
            Aux { dimnames: vec![None], ..Aux::default() },
            Aux {
                dim: Some(Dim { class: Dim::ARRAY, extents: vec![2, 3] }),
                dimnames: vec![None],
                ..Aux::default()
            },
            Aux { dim: Some(Dim { class: 3, extents: vec![2, 3] }), ..Aux::default() },
            Aux { dim: Some(Dim { class: Dim::MATRIX, extents: vec![2] }), ..Aux::default() },
            Aux { dim: Some(Dim { class: Dim::ARRAY, extents: vec![1 << 32, 1] }), ..Aux::default() },
            Aux { names: Some((1, 0)), ..Aux::default() },
            Aux { user: vec![("a".into(), "1".into()), ("a".into(), "2".into())], ..Aux::default() },
        ];
        for aux in forged {
            let mut out = Vec::new();
            aux.encode(5, 6, &[], &mut out);
            assert!(Aux::decode(&out, out.len() as u64, 5, 6).is_err(), "{aux:?}");
        }
    }
}
