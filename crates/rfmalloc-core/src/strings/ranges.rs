//! Whole-range work on character vectors: fill, copy, compare for identity.

use super::list::Strings;
use super::view::{self, Long};
use crate::convert::{self, Warnings};
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::Result;
use crate::store::Handle;

/// Strings copied at a time, and about how many bytes of text.
const BLOCK: u64 = if cfg!(miri) { 32 } else { 65536 };
const BLOCK_NBYTES: u64 = 16 << 20;

impl Vector {
    /// Sets elements `[start, end)` to one string, which stands in the heap once; `None`: NA.
    ///
    /// # Errors
    /// As [`Vector::write_strings`].
    pub fn fill_strings(&self, start: u64, end: u64, text: Option<&str>) -> Result<()> {
        let n = end.saturating_sub(start);
        self.check(start, n)?;
        self.check_writable()?;
        let mut access = self.text(true)?;
        if n == 0 {
            return Ok(());
        }
        let view = match text.map(|text| (text.as_bytes(), view::inline_view(text.as_bytes()))) {
            None => {
                access.claim_na()?;
                view::NA
            }
            Some((_, Some(view))) => view,
            Some((bytes, None)) => {
                let claim = access.claim(bytes.len() as u64, false)?;
                access.write_text(claim, bytes);
                Long::of(bytes, claim.buffer, claim.off).view()
            }
        };
        let block = vec![view; BLOCK.min(n) as usize];
        let mut at = 0;
        while at < n {
            let m = BLOCK.min(n - at);
            access.publish(start + at, &block[..m as usize])?;
            at += m;
        }
        Ok(())
    }

    /// Copies `n` strings of `src` from `src_start` to `start`. Within one vector only the views are copied, as if to elsewhere first;
    /// otherwise long strings come to stand in this vector's own heap.
    pub(crate) fn copy_strings(&self, start: u64, src: &Self, src_start: u64, n: u64) -> Result<()> {
        if let (Self::Object(to), Self::Object(from)) = (self, src)
            && to.serial() == from.serial()
        {
            return move_views(to, start, src_start, n);
        }
        let mut at = 0;
        while at < n {
            let list = src.strings(src_start + at, BLOCK.min(n - at), BLOCK_NBYTES)?;
            self.write_strings(start + at, &list)?;
            at += list.len() as u64;
        }
        Ok(())
    }

    /// As [`Vector::copy_from`] where one side is text and the other is not, elements of the two written and read as R does.
    pub(crate) fn copy_as_text(&self, start: u64, src: &Self, src_start: u64, n: u64) -> Result<Warnings> {
        let mut warnings = Warnings::default();
        let (to, from) = (self.dtype(), src.dtype());
        let mut bytes = Vec::new();
        let mut at = 0;
        while at < n {
            let m = BLOCK.min(n - at);
            if to == Dtype::Character {
                bytes.resize((m * from.width()) as usize, 0);
                src.read_bytes(src_start + at, &mut bytes)?;
                let mut list = Strings::new();
                convert::each_text(from, &bytes, |text| {
                    list.push(text);
                    Ok(())
                })?;
                self.write_strings(start + at, &list)?;
                at += m;
            } else {
                let list = src.strings(src_start + at, m, BLOCK_NBYTES)?;
                bytes.resize(list.len() * to.width() as usize, 0);
                for (i, element) in bytes.chunks_exact_mut(to.width() as usize).enumerate() {
                    convert::from_text(list.get(i), to, element, &mut warnings);
                }
                self.write_bytes(start + at, &bytes)?;
                at += list.len() as u64;
            }
        }
        Ok(warnings)
    }

    /// Whether `n` strings are the same; NA equals NA.
    pub(crate) fn equal_strings(&self, start: u64, other: &Self, other_start: u64, n: u64) -> Result<bool> {
        let mut at = 0;
        while at < n {
            let mine = self.strings(start + at, BLOCK.min(n - at), BLOCK_NBYTES)?;
            let theirs = other.strings(other_start + at, mine.len() as u64, u64::MAX)?;
            if mine != theirs {
                return Ok(false);
            }
            at += mine.len() as u64;
        }
        Ok(true)
    }
}

/// Copies views within one vector: from the end where the target lies behind the source, so that none is overwritten before it was read.
fn move_views(handle: &Handle, start: u64, src_start: u64, n: u64) -> Result<()> {
    let access = handle.begin_text(true)?;
    let mut block = vec![view::EMPTY; BLOCK.min(n) as usize];
    let mut done = 0;
    while done < n {
        let m = BLOCK.min(n - done);
        let at = if start > src_start { n - done - m } else { done };
        let views = &mut block[..m as usize];
        access.views().read_words(16 * (src_start + at), views);
        access.publish(start + at, views)?;
        done += m;
    }
    Ok(())
}
