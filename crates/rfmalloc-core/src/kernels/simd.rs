//! The one place that chooses an instruction set.
//!
//! A kernel is a value with an `#[inline(always)]` body ([`Kernel`]). [`run`] calls it inside a wrapper compiled for the chosen set, and the
//! compiler vectorises the body there. No wrapper enables fused multiply-add, so the sets differ in speed and never in bits.
//!
//! The set is chosen once per process: the best the processor has, or what `RFMALLOC_ISA` names (`baseline`, `avx2`, `avx512`, `neon`).

use std::fmt;
use std::sync::OnceLock;

/// An instruction set with kernels of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// What the target guarantees: SSE2 on x86-64, NEON on `AArch64`.
    Baseline,
    /// AVX2.
    Avx2,
    /// AVX-512 F, VL, DQ, BW.
    Avx512,
    /// NEON, which is the baseline of `AArch64`; its own name for reports and tests.
    Neon,
}

impl Isa {
    /// Every set, in the order of preference from least to most.
    pub const ALL: [Self; 4] = [Self::Baseline, Self::Avx2, Self::Avx512, Self::Neon];

    /// Its name in `RFMALLOC_ISA`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// Whether this processor has it.
    pub fn available(self) -> bool {
        match self {
            Self::Baseline => true,
            Self::Neon => cfg!(target_arch = "aarch64"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                std::is_x86_feature_detected!("avx512f")
                    && std::is_x86_feature_detected!("avx512vl")
                    && std::is_x86_feature_detected!("avx512dq")
                    && std::is_x86_feature_detected!("avx512bw")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    fn best() -> Self {
        let rank = [Self::Avx512, Self::Avx2, Self::Neon];
        rank.into_iter().find(|isa| isa.available()).unwrap_or(Self::Baseline)
    }

    /// The set named so, if this processor has it; else the best it has.
    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|isa| isa.name() == name && isa.available()).unwrap_or_else(Self::best)
    }

    /// The set this process uses: see the module.
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Isa> = OnceLock::new();
        *CHOSEN.get_or_init(|| match std::env::var("RFMALLOC_ISA") {
            Ok(name) => Self::named(&name),
            Err(_) => Self::best(),
        })
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Work that is compiled once for each instruction set. `run` must be `#[inline(always)]`, and so must what it calls.
pub(crate) trait Kernel {
    /// What it gives back.
    type Out;
    /// The work.
    fn run(self) -> Self::Out;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<K: Kernel>(kernel: K) -> K::Out {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
fn with_avx512<K: Kernel>(kernel: K) -> K::Out {
    kernel.run()
}

/// Runs a kernel on this instruction set; on the baseline if the processor lacks it.
#[inline]
pub(crate) fn run<K: Kernel>(isa: Isa, kernel: K) -> K::Out {
    #[cfg(target_arch = "x86_64")]
    match isa {
        // SAFETY: the processor has AVX2 (asked).
        Isa::Avx2 if isa.available() => return unsafe { with_avx2(kernel) },
        // SAFETY: the processor has the four parts of AVX-512 (asked).
        Isa::Avx512 if isa.available() => return unsafe { with_avx512(kernel) },
        _ => {}
    }
    let _ = isa;
    kernel.run()
}
