//! The functions of `fm.h` over the mock's heap, under C's names.
//!
//! What crosses the border: pointers become references, answers go out through pointers, states refuse. The parent knows the pieces.

use super::super::bindings::{
    FM_ECONFLICT, FM_ECORRUPT, FM_EINVAL, FM_ENOMEM, FM_ENOSPC, FM_ESTALE, FM_FREE, FM_LOWEST, FM_RETIRED,
    FM_USED, fm, fm_conflict, fm_extent, fm_mem, fm_req, fm_stat,
};
use super::{Entry, HI_MAX, Heap, List, Piece, State, UNIT, Wish, aligned, fail, heap, seen, tell};
use core::ffi::c_int;
use core::{mem, ptr};

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_open(out: *mut *mut fm, mem: *const fm_mem, lo: u64, hi: u64) -> c_int {
    // SAFETY: fm.h asks for a place for the heap's pointer, and for callbacks that can be read; neither may be null.
    let mem = unsafe {
        out.write(ptr::null_mut());
        *mem
    };
    let (Some(get), Some(_)) = (mem.get, mem.put) else { return fail(FM_EINVAL) };
    if !aligned(lo | hi) || lo > hi || hi > HI_MAX {
        return fail(FM_EINVAL);
    }
    let n = mem::size_of::<Heap>();
    // SAFETY: the callback that the caller gave, called as fm_mem says: with the context that came with it.
    let h = unsafe { get(mem.ctx, n) }.cast::<Heap>();
    if h.is_null() {
        return fail(FM_ENOMEM);
    }
    let none = fm_extent { off: 0, len: 0 };
    let (pieces, load) = (List::EMPTY, List::EMPTY);
    let state = State::Unready;
    // SAFETY: `get` gave as many bytes as a Heap has, aligned for any object as fm_mem promises; `out` was written above.
    unsafe {
        h.write(Heap { mem, lo, hi, state, bytes: n as u64, pieces, load, bad: (none, none) });
        out.write(h.cast());
    }
    0
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_close(h: *mut fm) {
    if h.is_null() {
        return;
    }
    // SAFETY: a heap from fm_open, by the contract of fm_close, in the bytes that `get` gave there; `mem` is copied out of it, and the
    // heap is used no more once they are given back.
    unsafe {
        fm_reset(h);
        let mem = heap(h).mem;
        mem.put.unwrap()(mem.ctx, h.cast(), mem::size_of::<Heap>());
    }
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_reset(h: *mut fm) {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    h.load.drop(&h.mem, &mut h.bytes);
    h.pieces.drop(&h.mem, &mut h.bytes);
    h.state = State::Unready;
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_load(h: *mut fm, extents: *const fm_extent, ids: *const u64, n: usize) -> c_int {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    match h.state {
        State::Ready => return fail(FM_EINVAL),
        State::Unready => {}
        _ => return h.refusal(),
    }
    for i in 0..n {
        // SAFETY: `i < n`, and fm.h asks for `n` extents and `n` ids.
        let (e, id) = unsafe { (*extents.add(i), *ids.add(i)) };
        if e.len == 0 || !aligned(e.off | e.len) {
            return h.refuse(FM_EINVAL);
        }
        if !h.load.room(&h.mem, &mut h.bytes) {
            return h.refuse(FM_ENOMEM);
        }
        let at = h.load.len;
        h.load.insert(at, Entry { off: e.off, len: e.len, id });
    }
    0
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_ready(h: *mut fm, out: *mut fm_conflict) -> c_int {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    match h.state {
        State::Ready => return fail(FM_EINVAL),
        State::Unready => {}
        _ => return h.refusal(),
    }
    h.load.all_mut().sort_unstable_by_key(|e| (e.off, e.len, e.id));
    let mut end = h.lo;
    for i in 0..h.load.len {
        let e = h.load.all()[i];
        let x = fm_extent { off: e.off, len: e.len };
        let clash = if !h.inside(x) {
            let space = fm_extent { off: h.lo, len: h.hi - h.lo };
            Some(fm_conflict { a: x, b: space, id_a: e.id, id_b: u64::MAX })
        } else if e.off < end {
            let d = h.load.all()[i - 1];
            Some(fm_conflict { a: fm_extent { off: d.off, len: d.len }, b: x, id_a: d.id, id_b: e.id })
        } else {
            None
        };
        if let Some(clash) = clash {
            // SAFETY: fm.h asks for null or a place for a conflict.
            unsafe { tell(out, clash) };
            return h.refuse(FM_ECONFLICT);
        }
        end = e.off + e.len;
    }
    let mut end = h.lo;
    for i in 0..=h.load.len {
        let next = h.load.all().get(i).copied().unwrap_or(Entry { off: h.hi, len: 0, id: 0 });
        if end < next.off {
            if !h.piece_room() {
                h.pieces.drop(&h.mem, &mut h.bytes);
                return h.refuse(FM_ENOMEM);
            }
            let at = h.pieces.len;
            h.pieces.insert(at, Piece { off: end, len: next.off - end, mark: next.off, kind: FM_FREE });
        }
        end = next.off + next.len;
    }
    h.load.drop(&h.mem, &mut h.bytes);
    h.state = State::Ready;
    0
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_alloc(
    h: *mut fm,
    req: *const fm_req,
    out: *mut fm_extent,
    zeroed: *mut u64,
) -> c_int {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    // SAFETY: fm.h asks for a request that can be read.
    let req = unsafe { *req };
    if h.state != State::Ready {
        return h.refusal();
    }
    let align = if req.align == 0 { UNIT } else { req.align };
    let limit = if req.below == 0 { h.hi } else { req.below.min(h.hi) };
    let is_power = |x: u64| x.is_power_of_two() && x >= UNIT;
    if req.len == 0
        || !aligned(req.len | req.below)
        || !is_power(align)
        || (req.boundary != 0 && !is_power(req.boundary))
        || req.flags > FM_LOWEST
        || req.pad != 0
    {
        return fail(FM_EINVAL);
    }
    if req.len > limit {
        return fail(FM_ENOSPC);
    }
    let boundary = if req.len > req.boundary { 0 } else { req.boundary };
    let wish = Wish { len: req.len, align, boundary, limit };
    let Some((i, at)) = h.find(&wish, req.flags == FM_LOWEST) else { return fail(FM_ENOSPC) };
    let Some(fresh) = h.take(i, at, req.len) else { return fail(FM_ENOMEM) };
    // SAFETY: fm.h asks for null or a place for the fresh bytes, and for a place for the extent.
    unsafe {
        tell(zeroed, fresh);
        out.write(fm_extent { off: at, len: req.len });
    }
    0
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_claim(h: *mut fm, want: fm_extent) -> c_int {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    if h.state != State::Ready {
        return h.refusal();
    }
    if !h.inside(want) {
        return fail(FM_EINVAL);
    }
    let found = h.rank(want.off).checked_sub(1).map(|i| (i, h.pieces.all()[i]));
    match found {
        Some((i, x)) if x.kind == FM_FREE && x.end() >= want.off + want.len => {
            h.take(i, want.off, want.len).map_or(fail(FM_ENOMEM), |_| 0)
        }
        _ => fail(FM_ENOSPC),
    }
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_extend(h: *mut fm, extent: *mut fm_extent, len: u64, zeroed: *mut u64) -> c_int {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    // SAFETY: fm.h asks for an extent that can be read and written.
    let e = unsafe { *extent };
    if h.state != State::Ready {
        return h.refusal();
    }
    if !h.inside(e) || len < e.len || !aligned(len) {
        return fail(FM_EINVAL);
    }
    let (end, more, at) = (e.off + e.len, len - e.len, h.rank(e.off));
    let all = h.pieces.all();
    let (before, after) = (at.checked_sub(1).map(|i| all[i]), all.get(at).copied());
    if before.is_some_and(|p| p.end() > e.off) || after.is_some_and(|p| p.off < end) {
        return fail(FM_EINVAL);
    }
    if more == 0 {
        // SAFETY: fm.h asks for null or a place for the fresh bytes.
        unsafe { tell(zeroed, 0) };
        return 0;
    }
    match after {
        Some(x) if x.kind == FM_FREE && x.off == end && x.len >= more => {
            // From the front: no piece more is needed.
            let fresh = h.take(at, end, more).unwrap_or(0);
            // SAFETY: fm.h asks for null or a place for the fresh bytes; the extent was read from the same place above.
            unsafe {
                tell(zeroed, fresh);
                (*extent).len = len;
            }
            0
        }
        _ => fail(FM_ENOSPC),
    }
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_free(h: *mut fm, extent: fm_extent) {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    if h.state != State::Ready || !h.credible(extent) {
        return;
    }
    if h.piece_room() {
        h.give(extent, extent.off + extent.len);
    } else {
        h.state = State::Stale;
    }
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_retire(h: *mut fm, extent: fm_extent, stamp: u64) {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    if h.state != State::Ready || !h.credible(extent) {
        return;
    }
    if h.piece_room() {
        let at = h.rank(extent.off);
        h.pieces.insert(at, Piece { off: extent.off, len: extent.len, mark: stamp, kind: FM_RETIRED });
    } else {
        h.state = State::Stale;
    }
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_reclaim(h: *mut fm, durable: u64) -> u64 {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    let mut total = 0;
    if h.state != State::Ready {
        return 0;
    }
    loop {
        let all = h.pieces.all().iter().enumerate();
        let due = all.filter(|(_, p)| p.kind == FM_RETIRED && p.mark <= durable);
        let Some((i, p)) = due.min_by_key(|(_, p)| (p.mark, p.off)).map(|(i, p)| (i, *p)) else {
            return total;
        };
        h.pieces.remove(i);
        h.give(fm_extent { off: p.off, len: p.len }, p.end());
        total += p.len;
    }
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_grow(h: *mut fm, hi: u64) -> c_int {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    if h.state == State::Corrupt {
        return fail(FM_ECORRUPT);
    }
    if !aligned(hi) || hi < h.hi || hi > HI_MAX {
        return fail(FM_EINVAL);
    }
    let tail = fm_extent { off: h.hi, len: hi - h.hi };
    if h.state == State::Ready && tail.len != 0 {
        if !h.piece_room() {
            return fail(FM_ENOMEM);
        }
        h.give(tail, tail.off);
    }
    h.hi = hi;
    0
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_trim(h: *mut fm, hi: *mut u64) -> c_int {
    // SAFETY: an open heap that this call has alone, by the contract of every function.
    let h = unsafe { heap(h) };
    // SAFETY: fm.h asks for an end that can be read and written.
    let lowest = unsafe { *hi };
    if h.state != State::Ready {
        return h.refusal();
    }
    if !aligned(lowest) {
        return fail(FM_EINVAL);
    }
    let lowest = lowest.max(h.lo);
    if let Some(x) = h.pieces.all().last().copied()
        && x.kind == FM_FREE
        && x.end() == h.hi
        && lowest < h.hi
    {
        let (end, last) = (lowest.max(x.off), h.pieces.len - 1);
        h.hi = end;
        if end > x.off {
            h.pieces.all_mut()[last] = Piece { len: end - x.off, mark: x.mark.min(end), ..x };
        } else {
            h.pieces.remove(last);
        }
    }
    // SAFETY: it was read from the same place above.
    unsafe { hi.write(h.hi) };
    0
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_next(h: *const fm, from: u64, out: *mut fm_extent, kind: *mut u32) -> c_int {
    // SAFETY: an open heap that nobody changes during the call, by the contract of every function.
    let h = unsafe { seen(h) };
    if h.state != State::Ready && h.state != State::Corrupt {
        return fail(FM_ESTALE);
    }
    let from = from.max(h.lo);
    if from >= h.hi {
        return fail(FM_ENOSPC);
    }
    let (all, at) = (h.pieces.all(), h.rank(from));
    let before = at.checked_sub(1).map(|i| all[i]);
    let (found, what) = match before {
        Some(p) if p.end() > from => (fm_extent { off: p.off, len: p.len }, p.kind),
        _ => {
            let (begin, end) = (before.map_or(h.lo, |p| p.end()), all.get(at).map_or(h.hi, |p| p.off));
            (fm_extent { off: begin, len: end - begin }, FM_USED)
        }
    };
    // SAFETY: fm.h asks for a place for the extent and one for its kind.
    unsafe {
        out.write(found);
        kind.write(what);
    }
    0
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_stats(h: *const fm, out: *mut fm_stat) {
    // SAFETY: an open heap that nobody changes during the call, by the contract of every function.
    let h = unsafe { seen(h) };
    let mut s = fm_stat { used: 0, free: 0, retired: 0, gaps: 0, largest: 0, nodes: 0, bytes: h.bytes };
    if h.state == State::Ready || h.state == State::Corrupt {
        for p in h.pieces.all() {
            if p.kind == FM_FREE {
                s.free += p.len;
                s.gaps += 1;
                s.largest = s.largest.max(p.len);
            } else {
                s.retired += p.len;
            }
        }
        s.used = h.hi - h.lo - s.free - s.retired;
        s.nodes = h.pieces.len as u64;
    }
    // SAFETY: fm.h asks for a place for the figures.
    unsafe { out.write(s) };
}

#[cfg_attr(miri, unsafe(no_mangle))]
pub unsafe extern "C" fn fm_check(h: *const fm, out: *mut fm_conflict) -> c_int {
    // SAFETY: an open heap that nobody changes during the call, by the contract of every function.
    let h = unsafe { seen(h) };
    match h.state {
        State::Corrupt => {
            let (a, b) = h.bad;
            // SAFETY: fm.h asks for null or a place for a conflict.
            unsafe { tell(out, fm_conflict { a, b, id_a: u64::MAX, id_b: u64::MAX }) };
            fail(FM_ECORRUPT)
        }
        State::Ready => {
            let whole = h.pieces.all().windows(2).all(|w| {
                let touching = w[0].kind == FM_FREE && w[1].kind == FM_FREE && w[0].end() == w[1].off;
                w[0].end() <= w[1].off && !touching
            });
            if whole { 0 } else { fail(FM_ECORRUPT) }
        }
        _ => fail(FM_ESTALE),
    }
}
