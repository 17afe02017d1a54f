//! Work on private blocks of elements: what one block instruction does. No shared memory, no threads, no R types beyond the element.
//!
//! - [`simd`]: the one place that chooses an instruction set; `simd_lanes`: sixteen doubles in its registers, where loops alone are too slow;
//! - [`missing`]: the one place that says what NA and NaN become;
//! - `apply`: a function of elements over blocks; `chain`: several operators over strips; `arith`, `compare`, `logic`, `complex`: operators; `math`: functions;
//! - `exact`: error-free sums and products; `sum`, `prod`, `extremum`, `truth`, `spread`: summaries; `scan`: cumulatives; `truncate`: numbers made integers; `simd_product`: products by a crate; `simd_sort`: keys sorted, by `simd_split` and `simd_network`; `simd_classify`: told into parts.
//!
//! Kernels are plain loops for the autovectoriser, without fused multiply-add and with a fixed number of lanes, so every instruction set gives
//! the same bits. May touch: `na`, `convert::Warnings`.

#![expect(
    clippy::inline_always,
    reason = "a kernel is vectorised only where it is inlined into its instruction set's wrapper"
)]
#![expect(
    clippy::needless_bitwise_bool,
    reason = "the conditions of a lane have no branches: a branch ends vectorisation"
)]
#![expect(
    clippy::excessive_precision,
    reason = "published coefficients are given with their published digits"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "lanes are loops over an index of several arrays, which the autovectoriser knows"
)]

pub(crate) mod apply;
pub(crate) mod arith;
pub(crate) mod chain;
pub(crate) mod compare;
pub(crate) mod complex;
pub(crate) mod exact;
pub(crate) mod extremum;
pub(crate) mod logic;
pub(crate) mod math;
pub(crate) mod missing;
pub(crate) mod prod;
pub(crate) mod running_sum;
pub(crate) mod scan;
#[allow(unsafe_code)]
pub(crate) mod simd;
#[allow(unsafe_code)]
pub(crate) mod simd_classify;
#[allow(unsafe_code)]
pub(crate) mod simd_lanes;
#[allow(unsafe_code)]
#[cfg(target_arch = "x86_64")]
mod simd_network;
#[allow(unsafe_code)]
pub(crate) mod simd_product;
#[allow(unsafe_code)]
pub(crate) mod simd_sort;
#[allow(unsafe_code)]
#[cfg(target_arch = "x86_64")]
mod simd_split;
pub(crate) mod spread;
pub(crate) mod sum;
pub(crate) mod truncate;
pub(crate) mod truth;

/// Elements of a block: 16 KiB of doubles, so that an instruction's operands and result stay in the first-level cache.
pub(crate) const BLOCK: usize = 2048;

/// A complex element: real and imaginary part.
pub(crate) type C64 = [f64; 2];
