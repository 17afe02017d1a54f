//! fmalloc once more, in Rust, over one sorted list: for Miri, which cannot run C.
//!
//! Built under Miri only, where it stands in for the library, so that the wrapper's pointers, lifetimes, out parameters and memory
//! callbacks are checked against the same contract. It makes the promises of `fm.h` and gives the same answers (`tests/mock.rs` holds it
//! against the C sources), but every operation is linear and `fm_stat.bytes` counts its own memory.

mod api;

#[allow(unused_imports, reason = "the tests call them by name, Miri by symbol")]
pub use api::*;

use super::bindings::{FM_ECORRUPT, FM_ESTALE, FM_FREE, FM_UNIT, fm, fm_error, fm_extent, fm_mem};
use core::ffi::c_int;
use core::{mem, ptr, slice};

const UNIT: u64 = FM_UNIT as u64;
const HI_MAX: u64 = 1 << 63;
const PROBES: usize = 32;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Unready,
    Ready,
    Stale,
    Corrupt,
}

/// A gap (`mark`: where its fresh suffix begins) or a retired extent (`mark`: its stamp).
#[derive(Clone, Copy)]
struct Piece {
    off: u64,
    len: u64,
    mark: u64,
    kind: u32,
}

impl Piece {
    fn end(&self) -> u64 {
        self.off + self.len
    }
}

#[derive(Clone, Copy)]
struct Entry {
    off: u64,
    len: u64,
    id: u64,
}

/// A growing array in memory of the callbacks'.
struct List<T> {
    ptr: *mut T,
    len: usize,
    cap: usize,
}

struct Heap {
    mem: fm_mem,
    lo: u64,
    hi: u64,
    state: State,
    bytes: u64,
    pieces: List<Piece>,
    load: List<Entry>,
    bad: (fm_extent, fm_extent),
}

fn fail(code: fm_error) -> c_int {
    -(code as c_int)
}

fn aligned(x: u64) -> bool {
    x.is_multiple_of(UNIT)
}

impl<T: Copy> List<T> {
    const EMPTY: Self = Self { ptr: ptr::null_mut(), len: 0, cap: 0 };

    fn all(&self) -> &[T] {
        // SAFETY: `insert` wrote `len` elements at `ptr`, which `get` aligned for any object; with none the pointer may be null and is not used.
        if self.len == 0 { &[] } else { unsafe { slice::from_raw_parts(self.ptr, self.len) } }
    }

    fn all_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `all`, and nobody else has the elements while `self` is borrowed for writing.
        if self.len == 0 { &mut [] } else { unsafe { slice::from_raw_parts_mut(self.ptr, self.len) } }
    }

    /// Room for one element more; false: memory was refused and nothing changed.
    fn room(&mut self, mem: &fm_mem, bytes: &mut u64) -> bool {
        if self.len < self.cap {
            return true;
        }
        let cap = (self.cap * 2).max(8);
        let n = cap * mem::size_of::<T>();
        // SAFETY: fm_open refused heaps without callbacks; this one is called as fm_mem says, with the context that came with it.
        let to = unsafe { mem.get.unwrap()(mem.ctx, n) }.cast::<T>();
        if to.is_null() {
            return false;
        }
        let len = self.len;
        // SAFETY: both have room for `len` elements and are two allocations.
        unsafe { ptr::copy_nonoverlapping(self.all().as_ptr(), to, len) };
        self.drop(mem, bytes);
        *bytes += n as u64;
        *self = Self { ptr: to, len, cap };
        true
    }

    /// Puts an element before element `i`; there is room.
    fn insert(&mut self, i: usize, x: T) {
        // SAFETY: `len < cap` (called after `room`) and `i <= len`.
        unsafe {
            let at = self.ptr.add(i);
            ptr::copy(at, at.add(1), self.len - i);
            at.write(x);
        }
        self.len += 1;
    }

    fn remove(&mut self, i: usize) {
        let len = self.len;
        self.all_mut().copy_within(i + 1..len, i);
        self.len -= 1;
    }

    fn drop(&mut self, mem: &fm_mem, bytes: &mut u64) {
        if self.cap > 0 {
            let n = self.cap * mem::size_of::<T>();
            *bytes -= n as u64;
            // SAFETY: `get` returned `ptr` for as many bytes, since `cap` is of that call; it is given back once, as the list is emptied.
            unsafe { mem.put.unwrap()(mem.ctx, self.ptr.cast(), n) };
        }
        *self = Self::EMPTY;
    }
}

impl Heap {
    fn refusal(&self) -> c_int {
        match self.state {
            State::Ready => 0,
            State::Corrupt => fail(FM_ECORRUPT),
            _ => fail(FM_ESTALE),
        }
    }

    fn inside(&self, e: fm_extent) -> bool {
        e.len != 0
            && aligned(e.off | e.len)
            && e.off >= self.lo
            && e.off <= self.hi
            && e.len <= self.hi - e.off
    }

    /// The number of pieces that begin at or before `off`.
    fn rank(&self, off: u64) -> usize {
        self.pieces.all().partition_point(|p| p.off <= off)
    }

    fn piece_room(&mut self) -> bool {
        self.pieces.room(&self.mem, &mut self.bytes)
    }

    fn refuse(&mut self, code: fm_error) -> c_int {
        self.load.drop(&self.mem, &mut self.bytes);
        self.state = State::Stale;
        fail(code)
    }

    /// See `fm_give` in `fm_free.c`; there is room for a piece.
    fn give(&mut self, e: fm_extent, mut mark: u64) {
        let at = self.rank(e.off);
        let mut end = e.off + e.len;
        let mut off = e.off;
        let next = self.pieces.all().get(at).copied().filter(|p| p.kind == FM_FREE && p.off == end);
        let prev =
            at.checked_sub(1).map(|i| self.pieces.all()[i]).filter(|p| p.kind == FM_FREE && p.end() == off);
        if let Some(next) = next {
            if next.mark != end {
                mark = next.mark;
            }
            end = next.end();
            self.pieces.remove(at);
        }
        let mut at = at;
        if let Some(prev) = prev {
            if mark == e.off {
                mark = prev.mark;
            }
            off = prev.off;
            at -= 1;
            self.pieces.remove(at);
        }
        self.pieces.insert(at, Piece { off, len: end - off, mark, kind: FM_FREE });
    }

    fn credible(&mut self, e: fm_extent) -> bool {
        let mut met = fm_extent { off: self.lo, len: self.hi - self.lo };
        if self.inside(e) {
            let at = self.rank(e.off);
            let hit = |p: &&Piece| p.off < e.off + e.len && e.off < p.end();
            let all = self.pieces.all();
            let found = at.checked_sub(1).map(|i| &all[i]).filter(hit).or_else(|| all.get(at).filter(hit));
            match found {
                None => return true,
                Some(p) => met = fm_extent { off: p.off, len: p.len },
            }
        }
        self.state = State::Corrupt;
        self.bad = (e, met);
        false
    }

    /// See `take` in `fm_alloc.c`: `[off, off+len)` of gap `i`; its fresh bytes, or `None` if memory was refused.
    fn take(&mut self, i: usize, off: u64, len: u64) -> Option<u64> {
        let x = self.pieces.all()[i];
        let (stop, end) = (off + len, x.end());
        if x.off < off && stop < end && !self.piece_room() {
            return None;
        }
        self.pieces.remove(i);
        if stop < end {
            let rest = Piece { off: stop, len: end - stop, mark: x.mark.max(stop), kind: FM_FREE };
            self.pieces.insert(i, rest);
        }
        if x.off < off {
            let rest = Piece { len: off - x.off, mark: x.mark.min(off), ..x };
            self.pieces.insert(i, rest);
        }
        Some(stop.saturating_sub(x.mark.max(off)))
    }
}

/// A request with its defaults filled in.
struct Wish {
    len: u64,
    align: u64,
    boundary: u64,
    limit: u64,
}

impl Wish {
    /// The lowest place in a gap, and the lowest that respects the boundary.
    fn places(&self, x: &Piece) -> (Option<u64>, Option<u64>) {
        let end = x.end().min(self.limit);
        let fits = |at: &u64| at.checked_add(self.len).is_some_and(|stop| stop <= end);
        let Some(at) = x.off.checked_next_multiple_of(self.align).filter(fits) else { return (None, None) };
        let crosses = self.boundary != 0 && (at ^ (at + self.len - 1)) >= self.boundary;
        let nice = if crosses { at.checked_next_multiple_of(self.boundary).filter(fits) } else { Some(at) };
        (Some(at), nice)
    }
}

impl Heap {
    /// The next gap of at least `need` bytes below the limit, in the order of the policy, behind the one with this key.
    fn candidate(&self, w: &Wish, lowest: bool, need: u64, after: Option<(u64, u64)>) -> Option<usize> {
        let key = |p: &Piece| if lowest { (0, p.off) } else { (p.len, p.off) };
        let fits = |p: &Piece| {
            p.kind == FM_FREE
                && p.len >= need
                && p.off.checked_add(need).is_some_and(|end| end <= w.limit)
                && after.is_none_or(|a| key(p) > a)
        };
        let all = self.pieces.all().iter().enumerate();
        all.filter(|(_, p)| fits(p)).min_by_key(|(_, p)| key(p)).map(|(i, _)| i)
    }

    /// The search promised in fm.h.
    fn find(&self, w: &Wish, lowest: bool) -> Option<(usize, u64)> {
        let need_any = w.len.saturating_add(w.align - UNIT);
        let need_nice = if w.boundary == 0 { need_any } else { need_any.saturating_add(w.len - UNIT) };
        let (mut second, mut after) = (None, None);
        for _ in 0..PROBES {
            let Some(i) = self.candidate(w, lowest, w.len, after) else { return second };
            let x = &self.pieces.all()[i];
            match w.places(x) {
                (_, Some(nice)) => return Some((i, nice)),
                (Some(any), None) => second = second.or(Some((i, any))),
                (None, None) => {}
            }
            after = Some(if lowest { (0, x.off) } else { (x.len, x.off) });
        }
        if let Some(i) = self.candidate(w, lowest, need_nice, None) {
            return w.places(&self.pieces.all()[i]).1.map(|at| (i, at));
        }
        second.or_else(|| {
            let i = self.candidate(w, lowest, need_any, None)?;
            w.places(&self.pieces.all()[i]).0.map(|at| (i, at))
        })
    }
}

unsafe fn heap<'a>(h: *mut fm) -> &'a mut Heap {
    // SAFETY: fm_open wrote a Heap there, fm_close has not given it back, and fm.h lets nobody use a heap while another call does.
    unsafe { &mut *h.cast::<Heap>() }
}

unsafe fn seen<'a>(h: *const fm) -> &'a Heap {
    // SAFETY: fm_open wrote a Heap there, fm_close has not given it back, and fm.h lets nobody change a heap while another call reads it.
    unsafe { &*h.cast::<Heap>() }
}

unsafe fn tell<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: fm.h asks for null or a place for a `T`, and it is not null.
        unsafe { out.write(value) }
    }
}
