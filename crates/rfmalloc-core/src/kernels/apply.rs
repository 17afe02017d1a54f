//! A function of elements over whole blocks, compiled for each instruction set.
//!
//! A block of results is computed, looked at for what must be mended (NaN, lost integers), and stored where it belongs, all in one kernel; what
//! goes to shared memory in short strips, so that reads and writes of memory overlap.

use super::simd::{Isa, Kernel, run};
use crate::region::{Elems, Plain, Stretch};

/// Bytes of a strip. Measured on `a + b` past the caches: strips of 128 to 1024 bytes are alike, 2048 take nearly twice as long.
const STRIP_NBYTES: usize = 1024;

/// Elements of a strip where computing, not memory, takes the time.
const LONG_STRIP: usize = 512;

/// Where a block's results go: to memory of one's own, or through it to shared memory.
pub(crate) struct Out<'o, O> {
    own: &'o mut [O],
    to: Option<Stretch<'o, O>>,
    strip: usize,
}

impl<'o, O> From<&'o mut [O]> for Out<'o, O> {
    fn from(own: &'o mut [O]) -> Self {
        let strip = own.len();
        Self { own, to: None, strip }
    }
}

impl<'o, O: Plain> Out<'o, O> {
    /// To shared memory, as many as `own` holds, which is scratch then.
    pub(crate) fn through(own: &'o mut [O], to: Option<Stretch<'o, O>>) -> Self {
        let strip = if to.is_some() { STRIP_NBYTES / size_of::<O>() } else { own.len() };
        Self { own, to, strip }
    }

    /// For functions that take their time: longer strips.
    pub(crate) fn slowly(self) -> Self {
        let strip = self.strip.max(LONG_STRIP.min(self.own.len()));
        Self { strip, ..self }
    }

    /// For work that makes a block in one piece: `fill` writes it.
    pub(crate) fn whole<R>(self, fill: impl FnOnce(&mut [O]) -> R) -> R {
        let out = fill(self.own);
        if let Some(to) = self.to {
            to.put(0, self.own);
        }
        out
    }

    /// Where strips begin: one strip is a whole block of one's own.
    #[inline(always)]
    fn strips(&self) -> impl Iterator<Item = usize> + use<O> {
        let n = self.own.len();
        (0..n).step_by(self.strip.max(1))
    }

    /// The private memory of the strip that begins with element `at`: the same for all.
    #[inline(always)]
    fn strip(&mut self, at: usize) -> &mut [O] {
        let rest = self.own.len() - at;
        &mut self.own[..rest.min(self.strip)]
    }

    /// Stores that strip where it goes.
    #[inline(always)]
    fn store(&mut self, at: usize) {
        if let Some(to) = self.to {
            to.put(at, self.strip(at));
        }
    }
}

/// What is looked for in the results, and what is done then with them.
trait Mend<O> {
    fn odd(&self, result: O) -> bool;
    fn mend(&mut self, at: usize, strip: &mut [O]);
}

/// Nothing is.
struct Sound;

impl<O> Mend<O> for Sound {
    #[inline(always)]
    fn odd(&self, _: O) -> bool {
        false
    }
    #[inline(always)]
    fn mend(&mut self, _: usize, _: &mut [O]) {}
}

/// Results for which `odd` holds are mended by `mend`.
struct Mended<P, M> {
    odd: P,
    mend: M,
}

impl<O, P: Fn(O) -> bool, M: FnMut(usize, &mut [O])> Mend<O> for Mended<P, M> {
    #[inline(always)]
    fn odd(&self, result: O) -> bool {
        (self.odd)(result)
    }
    #[inline(always)]
    fn mend(&mut self, at: usize, strip: &mut [O]) {
        (self.mend)(at, strip);
    }
}

struct Map1<'k, A, O, F, M> {
    a: Elems<'k, A>,
    out: Out<'k, O>,
    f: F,
    mend: M,
}

impl<A: Plain, O: Plain, F: Fn(A) -> O, M: Mend<O>> Kernel for Map1<'_, A, O, F, M> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Self { a, mut out, f, mut mend } = self;
        for at in out.strips() {
            let strip = out.strip(at);
            a.rest(at).map(strip, &f);
            if Elems::from(&*strip).any(|o| mend.odd(o)) {
                mend.mend(at, strip);
            }
            out.store(at);
        }
    }
}

struct Map2<'k, A, B, O, F, M> {
    a: Elems<'k, A>,
    b: Elems<'k, B>,
    out: Out<'k, O>,
    f: F,
    mend: M,
}

impl<A: Plain, B: Plain, O: Plain, F: Fn(A, B) -> O, M: Mend<O>> Kernel for Map2<'_, A, B, O, F, M> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Self { a, b, mut out, f, mut mend } = self;
        for at in out.strips() {
            let strip = out.strip(at);
            a.rest(at).map_with(b.rest(at), strip, &f);
            if Elems::from(&*strip).any(|o| mend.odd(o)) {
                mend.mend(at, strip);
            }
            out.store(at);
        }
    }
}

/// `out[i] = f(a[i])`. `f` must be `#[inline(always)]` or a small closure.
pub(crate) fn map1<'k, A: Plain, O: Plain>(
    isa: Isa,
    a: impl Into<Elems<'k, A>>,
    out: Out<'_, O>,
    f: impl Fn(A) -> O,
) {
    run(isa, Map1 { a: a.into(), out, f, mend: Sound });
}

/// As `map1`; a strip with a result for which `odd` holds goes through `mend`, with the number of its first element, before
/// it is stored.
pub(crate) fn map1_mended<A: Plain, O: Plain>(
    isa: Isa,
    a: Elems<'_, A>,
    out: Out<'_, O>,
    f: impl Fn(A) -> O,
    odd: impl Fn(O) -> bool,
    mend: impl FnMut(usize, &mut [O]),
) {
    run(isa, Map1 { a, out, f, mend: Mended { odd, mend } });
}

/// `out[i] = f(a[i], b[i])`.
pub(crate) fn map2<A: Plain, B: Plain, O: Plain>(
    isa: Isa,
    a: Elems<'_, A>,
    b: Elems<'_, B>,
    out: Out<'_, O>,
    f: impl Fn(A, B) -> O,
) {
    run(isa, Map2 { a, b, out, f, mend: Sound });
}

/// As `map2` and `map1_mended`.
pub(crate) fn map2_mended<A: Plain, B: Plain, O: Plain>(
    isa: Isa,
    a: Elems<'_, A>,
    b: Elems<'_, B>,
    out: Out<'_, O>,
    f: impl Fn(A, B) -> O,
    odd: impl Fn(O) -> bool,
    mend: impl FnMut(usize, &mut [O]),
) {
    run(isa, Map2 { a, b, out, f, mend: Mended { odd, mend } });
}

struct Any<'k, A, F> {
    a: Elems<'k, A>,
    f: F,
}

impl<A: Plain, F: Fn(A) -> bool> Kernel for Any<'_, A, F> {
    type Out = bool;
    #[inline(always)]
    fn run(self) -> bool {
        self.a.any(self.f)
    }
}

/// Whether `f` holds for any element; looks at all, without branches.
pub(crate) fn any<'k, A: Plain>(isa: Isa, a: impl Into<Elems<'k, A>>, f: impl Fn(A) -> bool) -> bool {
    run(isa, Any { a: a.into(), f })
}
