//! Missing values: their bit patterns, and how a value is told from its absence.
//!
//! Logical and integer NA is `i32::MIN`. Numeric NA is a NaN whose low word is 1954 (R's choice); any other NaN is a number that is not one.
//! Hardware may set the quiet bit of the high word, so only the low word decides.

/// NA of logical and integer.
pub const NA_INT: i32 = i32::MIN;

const LOW_WORD: u64 = 1954;

/// NA of numeric, as R writes it.
///
/// ```
/// use rfmalloc_core::na;
/// assert!(na::is_na(na::na_real()) && !na::is_na(f64::NAN));
/// ```
pub fn na_real() -> f64 {
    f64::from_bits(0x7FF0_0000_0000_0000 | LOW_WORD)
}

/// Whether a number is NA (and not merely NaN).
pub fn is_na(x: f64) -> bool {
    x.is_nan() && x.to_bits() & 0xFFFF_FFFF == LOW_WORD
}
