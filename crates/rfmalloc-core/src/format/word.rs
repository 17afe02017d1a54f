//! The state word of a slot: 8 bytes, stored in one piece, the commit point of every change. Table: `docs/FORMAT.md`, "State word".

/// State of a slot as written in its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The word 0: never used.
    Unused,
    /// Used before, reusable.
    Free,
    /// Holds an object.
    Live,
    /// Destroyed; undone by a machine crash while `dead_seq > synced_seq`.
    Dead,
}

/// A decoded state word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) state: State,
    /// Index of the active body: 0 (A) or 1 (B).
    pub(crate) active: usize,
    /// D bits: body i is on stable storage whatever `synced_seq` says.
    pub(crate) durable: [bool; 2],
    pub(crate) is_list: bool,
    pub(crate) held: bool,
    /// Low 24 bits of the generation.
    pub(crate) gen24: u32,
    /// Hash of the object's name, 0 when it has none.
    pub(crate) tag: u16,
    /// Low 8 bits of the active body's sequence.
    pub(crate) pair: u8,
}

pub(crate) const GEN24: u32 = 0xFF_FFFF;

impl Word {
    pub(crate) const UNUSED: Self = Self {
        state: State::Unused,
        active: 0,
        durable: [false; 2],
        is_list: false,
        held: false,
        gen24: 0,
        tag: 0,
        pair: 0,
    };

    /// The word of a slot that may be used again. Its generation is kept, so the next one can differ in the low bits.
    pub(crate) fn free(generation: u32) -> Self {
        Self { state: State::Free, gen24: generation & GEN24, ..Self::UNUSED }
    }

    pub(crate) fn encode(self, slot_idx: u32) -> u64 {
        let state = match self.state {
            State::Unused => return 0,
            State::Free => 1u64,
            State::Live => 2,
            State::Dead => 3,
        };
        let low = state
            | (self.active as u64 & 1) << 3
            | u64::from(self.durable[0]) << 4
            | u64::from(self.durable[1]) << 5
            | u64::from(self.is_list) << 6
            | u64::from(self.held) << 7
            | u64::from(self.gen24 & GEN24) << 8
            | u64::from(self.tag) << 32
            | u64::from(self.pair) << 48;
        low | u64::from(check(low, slot_idx)) << 56
    }

    /// `None`: the word contradicts itself (damage).
    pub(crate) fn decode(raw: u64, slot_idx: u32) -> Option<Self> {
        if raw == 0 {
            return Some(Self::UNUSED);
        }
        let low = raw & ((1 << 56) - 1);
        if u64::from(check(low, slot_idx)) != raw >> 56 {
            return None;
        }
        let state = match raw & 7 {
            1 => State::Free,
            2 => State::Live,
            3 => State::Dead,
            _ => return None,
        };
        Some(Self {
            state,
            active: (raw >> 3 & 1) as usize,
            durable: [raw >> 4 & 1 != 0, raw >> 5 & 1 != 0],
            is_list: raw >> 6 & 1 != 0,
            held: raw >> 7 & 1 != 0,
            gen24: (raw >> 8) as u32 & GEN24,
            tag: (raw >> 32) as u16,
            pair: (raw >> 48) as u8,
        })
    }
}

/// Tag of a raw word without decoding it: for scanning a million words.
pub(crate) fn raw_tag(raw: u64) -> u16 {
    (raw >> 32) as u16
}

/// Whether a raw word says that its object is a list or frame, without checking it.
pub(crate) fn raw_is_list(raw: u64) -> bool {
    raw_is_live(raw) && raw >> 6 & 1 != 0
}

/// Whether a raw word says live, without checking it.
pub(crate) fn raw_is_live(raw: u64) -> bool {
    raw & 7 == 2
}

/// Eight check bits over the low 56 bits and the slot's index: any one flipped bit changes them, and a word copied to another slot
/// rarely fits. (The four bytes of the CRC-32C, xor-ed.)
fn check(low: u64, slot_idx: u32) -> u8 {
    let mut b = [0u8; 12];
    b[..8].copy_from_slice(&low.to_le_bytes());
    b[8..].copy_from_slice(&slot_idx.to_le_bytes());
    let c = crc32c::crc32c(&b);
    (c ^ c >> 8 ^ c >> 16 ^ c >> 24) as u8
}

/// The 16-bit tag of a name: FNV-1a (64 bit) over the store's seed and the name's UTF-8 bytes, folded; never 0. (Fowler, Noll, Vo.)
pub(crate) fn name_tag(hash: u64) -> u16 {
    let folded = (hash ^ hash >> 16 ^ hash >> 32 ^ hash >> 48) as u16;
    folded.max(1)
}

/// The 64-bit hash behind [`name_tag`] and the names index.
pub(crate) fn name_hash(seed: NameSeed, name: &str) -> u64 {
    let h = fnv1a(seed.0, name.as_bytes());
    h ^ h >> 29
}

/// The hash's state after the store's seed, computed once per store.
#[derive(Clone, Copy)]
pub(crate) struct NameSeed(u64);

impl NameSeed {
    pub(crate) fn new(seed: &[u8; 16]) -> Self {
        Self(fnv1a(FNV_START, seed))
    }
}

/// Where FNV-1a (64 bit) begins.
pub(crate) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a (64 bit) over more bytes.
pub(crate) fn fnv1a(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_word_is_noticed() {
        for idx in [0, 1, 511, 1_000_000] {
            let w = Word {
                state: State::Live,
                active: 1,
                durable: [true, false],
                is_list: false,
                held: true,
                gen24: 0xABCDE,
                tag: 0x1234,
                pair: 0x77,
            };
            let raw = w.encode(idx);
            assert_eq!(Word::decode(raw, idx), Some(w));
            for bit in 0..64 {
                assert_eq!(Word::decode(raw ^ 1 << bit, idx), None, "bit {bit}");
            }
        }
    }
}
