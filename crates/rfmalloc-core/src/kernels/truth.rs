//! What `all` and `any` need to know of logicals: whether each of the three values occurs.

use super::simd::{Isa, Kernel, run};
use crate::na::NA_INT;
use crate::region::Elems;

/// Which values were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truths {
    pub(crate) yes: bool,
    pub(crate) no: bool,
    pub(crate) na: bool,
}

struct Look<'k> {
    x: Elems<'k, i32>,
}

impl Kernel for Look<'_> {
    type Out = Truths;
    #[inline(always)]
    fn run(self) -> Truths {
        let mut out = Truths::default();
        for x in self.x.iter() {
            out.na |= x == NA_INT;
            out.no |= x == 0;
            out.yes |= (x != 0) & (x != NA_INT);
        }
        out
    }
}

impl Truths {
    /// Those of a block.
    pub(crate) fn of(isa: Isa, block: Elems<'_, i32>) -> Self {
        run(isa, Look { x: block })
    }

    /// Of both.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { yes: self.yes | other.yes, no: self.no | other.no, na: self.na | other.na }
    }

    /// Whether any is TRUE: 0, 1 or NA.
    pub(crate) fn any(self, remove: bool) -> i32 {
        if self.yes {
            1
        } else if self.na && !remove {
            NA_INT
        } else {
            0
        }
    }

    /// Whether all are TRUE: 0, 1 or NA.
    pub(crate) fn all(self, remove: bool) -> i32 {
        if self.no {
            0
        } else if self.na && !remove {
            NA_INT
        } else {
            1
        }
    }
}
