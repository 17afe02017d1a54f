//! Reading and writing single elements of a character vector, at positions in any order.

use super::access::{place_piece, push, push_again};
use super::list::Strings;
use crate::elements::Vector;
use crate::error::Result;
use crate::region::AHEAD;
use std::sync::atomic::{Ordering, fence};

impl Vector {
    /// The strings at these positions, in their order; beyond the end, as [`MISSING`](crate::subscript::MISSING) is, NA.
    ///
    /// # Errors
    /// As [`Vector::strings`].
    pub(crate) fn strings_at(&self, positions: &[u64]) -> Result<Strings> {
        let mut access = self.text(false)?;
        let (mut out, mut view) = (Strings::new(), [[0; 16]]);
        let views = access.views();
        for (k, &i) in positions.iter().enumerate() {
            if let Some(&later) = positions.get(k + AHEAD) {
                views.ask_for(later.saturating_mul(16));
            }
            if i >= self.len() {
                out.push_na();
                continue;
            }
            views.read_words(16 * i, &mut view);
            fence(Ordering::Acquire);
            if push(access.buffers(), &view[0], &mut out).is_err() {
                push_again(&mut access, i, &mut out)?;
            }
        }
        if let Some(k) = out.first_invalid() {
            return Err(access.damaged(positions[k], "text: no UTF-8"));
        }
        access.check_views(0, self.len())?;
        Ok(out)
    }

    /// Writes strings to these positions, in order; positions beyond the end are passed over.
    ///
    /// # Errors
    /// As [`Vector::write_strings`].
    pub(crate) fn write_strings_at(&self, positions: &[u64], list: &Strings) -> Result<()> {
        self.check_writable()?;
        let mut access = self.text(true)?;
        if list.iter().any(|text| text.is_none()) {
            access.claim_na()?;
        }
        let mut from = 0;
        while from < list.len() {
            let views = place_piece(&mut access, list, from)?;
            for (view, &i) in views.iter().zip(&positions[from..]) {
                if i < self.len() {
                    access.publish(i, std::slice::from_ref(view))?;
                }
            }
            from += views.len();
        }
        Ok(())
    }
}
