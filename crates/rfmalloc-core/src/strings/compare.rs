//! Comparison of strings by code point, which is the order of their UTF-8 bytes: with one string, or string by string. NA gives NA.
//!
//! Most answers stand in the views: equality of short strings is that of sixteen bytes, and strings that differ in their first four bytes are
//! ordered by them. Views are copied to private memory in blocks and each is checked before its answer counts; what cannot be is read again
//! under the store mutex, and is damage if it cannot be then either.

use super::access::text_at;
use super::view::{self, INLINE, Text, View};
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::kernels::compare::Compare;
use crate::na::NA_INT;
use crate::store::{Buffers, TextAccess};
use std::cmp::Ordering;
use std::sync::atomic::{self, fence};

/// Elements per block.
const BLOCK: u64 = if cfg!(miri) { 32 } else { 2048 };

/// What strings are compared with.
#[derive(Clone, Copy)]
pub enum TextOperand<'a> {
    /// One string, or NA.
    One(Option<&'a str>),
    /// So many strings of a vector from an element on; the shorter side is recycled.
    Many(&'a Vector, u64, u64),
}

fn answer(op: Compare, order: Ordering) -> i32 {
    i32::from(match op {
        Compare::Eq => order.is_eq(),
        Compare::Ne => order.is_ne(),
        Compare::Lt => order.is_lt(),
        Compare::Le => order.is_le(),
        Compare::Gt => order.is_gt(),
        Compare::Ge => order.is_ge(),
    })
}

/// The operator with its operands exchanged.
fn mirrored(op: Compare) -> Compare {
    match op {
        Compare::Lt => Compare::Gt,
        Compare::Le => Compare::Ge,
        Compare::Gt => Compare::Lt,
        Compare::Ge => Compare::Le,
        same => same,
    }
}

impl Vector {
    /// `x op y` for strings `[start, start+len)` of this vector, into the logical vector `out`, whose length is that of the longer side, or 0 where
    /// one has none.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `TYPE` (an operand is no text, or `out` not logical), `LENGTH` (`out` has another length), `CORRUPT`, `IO`, `DESTROYED`,
    /// `CLOSED`, and as for any write.
    pub fn compare_strings(
        &self,
        op: Compare,
        (start, len): (u64, u64),
        y: TextOperand<'_>,
        out: &Self,
    ) -> Result<()> {
        self.check(start, len)?;
        let other = if let TextOperand::Many(_, _, n) = y { n } else { 1 };
        let n = if len == 0 || other == 0 { 0 } else { len.max(other) };
        if out.len() != n {
            return Err(Error::new(
                Code::Length,
                format!("a result of {} elements for a comparison of {n}", out.len()),
            ));
        }
        match y {
            _ if n == 0 => Ok(()),
            TextOperand::One(text) => self.compare_with(op, start, text.map(str::as_bytes), out),
            TextOperand::Many(y, from, 1) => {
                y.check(from, 1)?;
                self.compare_with(op, start, y.string(from)?.as_deref().map(str::as_bytes), out)
            }
            TextOperand::Many(y, from, _) if len == 1 => {
                y.check(from, other)?;
                let text = self.string(start)?;
                y.compare_with(mirrored(op), from, text.as_deref().map(str::as_bytes), out)
            }
            TextOperand::Many(y, from, _) => {
                y.check(from, other)?;
                self.compare_each(op, (start, len), (y, from, other), out)
            }
        }
    }

    /// Which of strings `[start, start+len)` are missing, into the logical vector `out` of that length.
    ///
    /// # Errors
    /// As [`Vector::compare_strings`].
    pub fn missing_strings(&self, start: u64, out: &Self) -> Result<()> {
        self.check(start, out.len())?;
        each_block(&mut self.text(false)?, start, out, |access, i, view| {
            let mut scratch = Vec::new();
            Ok(i32::from(text_at(access, i, view, &mut scratch)?.is_none()))
        })
    }

    fn compare_with(&self, op: Compare, start: u64, text: Option<&[u8]>, out: &Self) -> Result<()> {
        let mut access = self.text(false)?;
        let mut scratch = Vec::new();
        let Some(text) = text else {
            return each_block(&mut access, start, out, |access, i, view| {
                text_at(access, i, view, &mut scratch).map(|_| NA_INT)
            });
        };
        if matches!(op, Compare::Eq | Compare::Ne) {
            return equal_with(&mut access, start, text, matches!(op, Compare::Ne), out);
        }
        let mut first = [0; 4];
        let n = text.len().min(4);
        first[..n].copy_from_slice(&text[..n]);
        let first = u32::from_be_bytes(first);
        each_block(&mut access, start, out, |access, i, view| {
            // The first bytes stand at the same place in every view; those of shorter strings are followed by zeros.
            let mine = u32::from_be_bytes([view[4], view[5], view[6], view[7]]);
            if mine != first && is_sound(access.buffers(), view) && *view != view::NA {
                return Ok(answer(op, mine.cmp(&first)));
            }
            Ok(text_at(access, i, view, &mut scratch)?.map_or(NA_INT, |mine| answer(op, mine.cmp(text))))
        })
    }

    fn compare_each(
        &self,
        op: Compare,
        (start, len): (u64, u64),
        (y, from, other): (&Self, u64, u64),
        out: &Self,
    ) -> Result<()> {
        let (mut mine, mut theirs) = (self.text(false)?, y.text(false)?);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let (mut xs, mut ys) = (vec![view::EMPTY; BLOCK as usize], vec![view::EMPTY; BLOCK as usize]);
        let mut bytes = Vec::new();
        let mut at = 0;
        while at < out.len() {
            // Up to where one side begins again.
            let m = BLOCK.min(out.len() - at).min(len - at % len).min(other - at % other);
            let (i, j) = (start + at % len, from + at % other);
            mine.views().read_words(16 * i, &mut xs[..m as usize]);
            theirs.views().read_words(16 * j, &mut ys[..m as usize]);
            fence(atomic::Ordering::Acquire);
            bytes.clear();
            for k in 0..m {
                let x = text_at(&mut mine, i + k, &xs[k as usize], &mut a)?;
                let y = text_at(&mut theirs, j + k, &ys[k as usize], &mut b)?;
                let value = x.zip(y).map_or(NA_INT, |(x, y)| answer(op, x.cmp(y)));
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            out.write_bytes(at, &bytes)?;
            at += m;
        }
        mine.check_views(start, len)?;
        theirs.check_views(from, other)
    }
}

/// Calls `f(element, view)` for the views from `start` on and writes its answers.
fn each_block(
    access: &mut TextAccess<'_>,
    start: u64,
    out: &Vector,
    mut f: impl FnMut(&mut TextAccess<'_>, u64, &View) -> Result<i32>,
) -> Result<()> {
    let n = out.len();
    let mut views = vec![view::EMPTY; BLOCK.min(n) as usize];
    let mut bytes = Vec::with_capacity(4 * views.len());
    let mut at = 0;
    while at < n {
        let m = BLOCK.min(n - at) as usize;
        access.views().read_words(16 * (start + at), &mut views[..m]);
        fence(atomic::Ordering::Acquire);
        bytes.clear();
        for (i, view) in (start + at..).zip(&views[..m]) {
            bytes.extend_from_slice(&f(access, i, view)?.to_le_bytes());
        }
        out.write_bytes(at, &bytes)?;
        at += m as u64;
    }
    access.check_views(start, n)
}

/// A view as two words.
fn words(view: &View) -> (u64, u64) {
    let (mut a, mut b) = ([0; 8], [0; 8]);
    a.copy_from_slice(&view[..8]);
    b.copy_from_slice(&view[8..]);
    (u64::from_le_bytes(a), u64::from_le_bytes(b))
}

/// The bits that must be zero in a view whose text has so many bytes; the last entry is for all longer ones.
const PADDING: [(u64, u64); INLINE + 2] = {
    let mut out = [(0, 0); INLINE + 2];
    let mut n = 0;
    while n <= INLINE {
        out[n] = (mask(4 + n), if n <= 4 { u64::MAX } else { mask(n - 4) });
        n += 1;
    }
    out
};

/// All bits from byte `used` on.
const fn mask(used: usize) -> u64 {
    if used >= 8 { 0 } else { u64::MAX << (8 * used) }
}

/// Whether a view can be, its text not looked at.
pub(super) fn is_sound(buffers: &Buffers, view: &View) -> bool {
    match view::decode(view) {
        Ok(Text::Long(long)) => buffers.place(long).is_some(),
        decoded => decoded.is_ok(),
    }
}

/// Equality with one string: the view of a short one is compared as it is; a long one's length and first bytes decide mostly.
fn equal_with(
    access: &mut TextAccess<'_>,
    start: u64,
    text: &[u8],
    is_not: bool,
    out: &Vector,
) -> Result<()> {
    let wanted = view::inline_view(text);
    let (yes, no) = (i32::from(!is_not), i32::from(is_not));
    let (c0, c1) = match &wanted {
        Some(view) => words(view),
        None => (words(&view::Long::of(text, 0, 0).view()).0, 0),
    };
    let (na0, na1) = words(&view::NA);
    let n = out.len();
    let mut views = vec![view::EMPTY; BLOCK.min(n) as usize];
    let mut answers = vec![[0u8; 4]; views.len()];
    let mut scratch = Vec::new();
    let mut at = 0;
    while at < n {
        let m = BLOCK.min(n - at) as usize;
        let views = &mut views[..m];
        access.views().read_words(16 * (start + at), views);
        fence(atomic::Ordering::Acquire);
        let (mut bad, mut is_long) = (0, false);
        for (view, answer) in views.iter().zip(&mut answers) {
            let (a, b) = words(view);
            let is_na = a == na0 && b == na1;
            let is_equal = a == c0 && b == c1;
            let value = if is_na {
                NA_INT
            } else if is_equal {
                yes
            } else {
                no
            };
            *answer = value.to_le_bytes();
            // A short view is sound if nothing stands behind its text; a long one has to be looked at.
            let (p, q) = PADDING[(a as u32 as usize).min(INLINE + 1)];
            bad |= (a & p) | (b & q);
            is_long |= !is_na && a as u32 as usize > INLINE;
        }
        if bad != 0 || is_long {
            for (i, (view, answer)) in (start + at..).zip(views.iter().zip(&mut answers)) {
                let (a, b) = words(view);
                let is_decided = if a as u32 as usize <= INLINE {
                    view::decode(view).is_ok()
                } else if a == na0 && b == na1 {
                    true
                } else {
                    // Of another length or beginning than the string, or than any long one.
                    (wanted.is_some() || a != c0) && is_sound(access.buffers(), view)
                };
                if !is_decided {
                    let found = text_at(access, i, view, &mut scratch)?;
                    *answer = found.map_or(NA_INT, |t| if t == text { yes } else { no }).to_le_bytes();
                }
            }
        }
        out.write_bytes(at, answers[..m].as_flattened())?;
        at += m as u64;
    }
    access.check_views(start, n)
}
