//! SIGBUS: a page of a mapped file that the system cannot bring (somebody truncated the file, the medium fails) becomes a page of zeros and
//! a note in the file's [`Loss`], instead of the end of the process.
//!
//! Holds: the handler, the table of watched mappings, [`Watch`] (one entry of it). May touch: signals, and `mmap` over watched ranges.
//!
//! Why it is so:
//! - The handler only does what is safe at any moment: atomics, `fstat`, `mmap` (system calls without locks or memory of the process), and
//!   it leaves `errno` alone. It takes no lock, so the table is read without one: chunks that are never freed, each entry an address that
//!   is zero while the entry is free. Whoever frees an entry waits until no handler works on it, and unmaps only then: a handler that was
//!   late would put zeros over memory of somebody else.
//! - The loss is noted before the page is replaced: who reads zeros can already see why.
//! - Behind the end of a cut file everything is replaced at once (a loop over ten gigabytes makes one fault, not millions); elsewhere page
//!   by page, since the next page may well be readable.
//! - What is not ours (another address, an unaligned access, a signal somebody sent) goes to the handler that stood before: V8's on macOS,
//!   a sanitizer's, another copy of this library. A fault at an address that nobody watches is tried once more first: a close may have
//!   overtaken it, and the page is blank by now. The default action is taken by the system itself, on the same instruction, so that
//!   exit status and core are those of a process without a handler.
//! - Installed once, when the first file is watched, and never removed: a handler installed after ours may have kept ours to pass signals
//!   on to, and the library is never unloaded. It is not installed again either: a later handler that passes signals on to us would
//!   then get its own back, for ever. One that does not pass them on ends the containment.
//!
//! macOS (from its documentation): an access behind the end of a mapped file, or to a page the pager cannot bring, raises SIGBUS with the
//! address in `si_addr`, as on Linux; V8 uses the same signal for WebAssembly's bounds, on addresses that are never ours.

use super::loss::{Loss, Part};
use super::{PerProcess, os, process_epoch};
use libc::{c_int, c_void, siginfo_t};
use rustix::mm::{MapFlags, ProtFlags};
use std::cell::UnsafeCell;
use std::mem::{MaybeUninit, transmute};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The environment variable that, set to `off` when the first file is opened, leaves SIGBUS alone.
const SWITCH: &str = "RFMALLOC_SIGBUS";
/// Mappings per chunk of the table.
const CHUNK: usize = 64;

/// One watched mapping; free while `base` is 0.
struct Entry {
    base: AtomicUsize,
    nbytes: AtomicUsize,
    /// Offset in the file of the byte at `base`.
    off: AtomicU64,
    is_metadata: AtomicBool,
    loss: AtomicPtr<Loss>,
    /// Handlers at work on the entry.
    busy: AtomicUsize,
}

struct Chunk {
    entries: [Entry; CHUNK],
    next: AtomicPtr<Chunk>,
}

impl Chunk {
    const fn new() -> Self {
        Self {
            entries: [const {
                Entry {
                    base: AtomicUsize::new(0),
                    nbytes: AtomicUsize::new(0),
                    off: AtomicU64::new(0),
                    is_metadata: AtomicBool::new(false),
                    loss: AtomicPtr::new(ptr::null_mut()),
                    busy: AtomicUsize::new(0),
                }
            }; CHUNK],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

static FIRST: Chunk = Chunk::new();
/// Free entries; `None`: they have not been listed yet. The handler knows nothing of it. A forked child keeps the table, since it keeps the
/// mappings, but not a lock that some other thread of its parent held.
static FREE: PerProcess<Mutex<Option<Vec<&'static Entry>>>> = PerProcess::new();
/// Bytes per page, for the handler.
static PAGE: AtomicUsize = AtomicUsize::new(4096);

/// A mapping that the handler knows. Dropping it, before the range is unmapped, makes the handler forget it.
pub(crate) struct Watch {
    entry: &'static Entry,
    process: u64,
    loss: Arc<Loss>,
}

impl Watch {
    /// Watches `nbytes` at `base`, which show the file from `off` on; `None`: the containment is switched off.
    pub(crate) fn new(loss: &Arc<Loss>, part: Part, base: *mut u8, nbytes: usize, off: u64) -> Option<Self> {
        if !loss.is_contained() || !is_installed() {
            return None;
        }
        let entry = take_entry();
        entry.nbytes.store(nbytes, Ordering::SeqCst);
        entry.off.store(off, Ordering::SeqCst);
        entry.is_metadata.store(part == Part::Metadata, Ordering::SeqCst);
        entry.loss.store(Arc::as_ptr(loss).cast_mut(), Ordering::SeqCst);
        entry.base.store(base as usize, Ordering::SeqCst);
        Some(Self { entry, process: process_epoch(), loss: Arc::clone(loss) })
    }

    /// What the mapping's file has lost.
    pub(crate) fn loss(&self) -> &Arc<Loss> {
        &self.loss
    }

    /// The mapping is `nbytes` long now.
    pub(crate) fn set_nbytes(&self, nbytes: usize) {
        self.entry.nbytes.store(nbytes, Ordering::SeqCst);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.entry.base.store(0, Ordering::SeqCst);
        // A handler makes two system calls and ends. One that a fork interrupted lives on in the parent only.
        while self.entry.busy.load(Ordering::SeqCst) != 0 {
            if self.process != process_epoch() {
                self.entry.busy.store(0, Ordering::SeqCst);
                break;
            }
            std::thread::yield_now();
        }
        if let Some(free) = &mut *FREE.get().lock().unwrap_or_else(PoisonError::into_inner) {
            free.push(self.entry);
        }
    }
}

fn take_entry() -> &'static Entry {
    let mut guard = FREE.get().lock().unwrap_or_else(PoisonError::into_inner);
    let is_free = |e: &&Entry| e.base.load(Ordering::SeqCst) == 0;
    let free = guard.get_or_insert_with(|| chunks().flat_map(|c| &c.entries).filter(is_free).collect());
    loop {
        if let Some(entry) = free.pop() {
            return entry;
        }
        let chunk: &'static Chunk = Box::leak(Box::new(Chunk::new()));
        free.extend(chunk.entries.iter());
        let last = chunks().last().unwrap_or(&FIRST);
        last.next.store(ptr::from_ref(chunk).cast_mut(), Ordering::SeqCst);
    }
}

fn chunks() -> impl Iterator<Item = &'static Chunk> {
    // SAFETY: chunks are leaked, so the pointer is null or valid for ever.
    std::iter::successors(Some(&FIRST), |c| unsafe { c.next.load(Ordering::SeqCst).as_ref() })
}

/// Whether the fault at `addr` lies in a watched mapping and was dealt with.
fn contain(addr: usize) -> bool {
    let mut entries = chunks().flat_map(|c| &c.entries);
    let answer = entries.find_map(|entry| {
        let holds = |base: usize| {
            base != 0 && addr.wrapping_sub(base) < entry.nbytes.load(Ordering::SeqCst) && addr >= base
        };
        let base = entry.base.load(Ordering::SeqCst);
        if !holds(base) {
            return None;
        }
        entry.busy.fetch_add(1, Ordering::SeqCst);
        // Looked at again: whoever frees the entry sees us from here on.
        let ours = entry.base.load(Ordering::SeqCst) == base && holds(base);
        let done = ours && entry.replace(base, addr);
        entry.busy.fetch_sub(1, Ordering::SeqCst);
        ours.then_some(done)
    });
    answer.unwrap_or(false)
}

impl Entry {
    /// Puts zeros in the place of the page at `addr`, or of everything from there on if the file ends before it.
    fn replace(&self, base: usize, addr: usize) -> bool {
        let page = PAGE.load(Ordering::Relaxed);
        let start = addr & !(page - 1);
        let end = base.wrapping_add(self.nbytes.load(Ordering::SeqCst));
        let off = self.off.load(Ordering::SeqCst).wrapping_add((start - base) as u64);
        // SAFETY: the entry is in use and not freed before `busy` is 0 again, and it keeps an `Arc` of its loss.
        let Some(loss) = (unsafe { self.loss.load(Ordering::SeqCst).as_ref() }) else { return false };
        let length = loss.file_length();
        let is_cut = length.is_some_and(|n| n <= off);
        let one = start.saturating_add(page).min(end);
        let to = if is_cut { end } else { one };
        let part = if self.is_metadata.load(Ordering::SeqCst) { Part::Metadata } else { Part::Data };
        let note = |to: usize| loss.note(part, off, off.saturating_add((to - start) as u64), length);
        note(to);
        if zeros(start, to) || zeros(start, one) {
            return true;
        }
        // No room for one more piece of mapping: then all the rest, which makes fewer. The disk keeps what is there.
        note(end);
        zeros(start, end)
    }
}

/// Maps anonymous pages over `[start, end)`.
fn zeros(start: usize, end: usize) -> bool {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
    let prot = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: 1. the range lies in a watched mapping, which its owner cannot unmap while `busy` says that we are here; 2. no Rust reference
    // ever spans a mapping of a file.
    unsafe { rustix::mm::mmap_anonymous(start as *mut c_void, end - start, prot, flags) }.is_ok()
}

/// The handler that stood before ours.
struct Previous {
    /// A function, `SIG_DFL` or `SIG_IGN`.
    handler: AtomicUsize,
    flags: AtomicI32,
    mask: UnsafeCell<MaybeUninit<libc::sigset_t>>,
}

// SAFETY: the mask is written before our handler is installed and only read afterwards.
unsafe impl Sync for Previous {}

static PREVIOUS: Previous = Previous {
    handler: AtomicUsize::new(libc::SIG_DFL),
    flags: AtomicI32::new(0),
    mask: UnsafeCell::new(MaybeUninit::zeroed()),
};

/// Installs the handler at the first call, unless the environment says no; whether it stands.
fn is_installed() -> bool {
    /// 0: nobody has asked yet.
    static STANDS: AtomicI32 = AtomicI32::new(0);
    static ONE: PerProcess<Mutex<()>> = PerProcess::new();
    if STANDS.load(Ordering::Acquire) == 0 {
        let _one = ONE.get().lock().unwrap_or_else(PoisonError::into_inner);
        if STANDS.load(Ordering::Acquire) == 0 {
            let stands = std::env::var_os(SWITCH).is_none_or(|v| v != "off") && install();
            STANDS.store(if stands { 1 } else { -1 }, Ordering::Release);
        }
    }
    STANDS.load(Ordering::Acquire) > 0
}

fn install() -> bool {
    PAGE.store(rustix::param::page_size(), Ordering::SeqCst);
    // SAFETY: 1. both structures are valid for the calls, and all zeros is a valid `sigaction`; 2. the handler has the signature that
    // SA_SIGINFO asks for and lives for ever; 3. the previous one is known before ours can run.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut old) != 0 {
            return false;
        }
        if old.sa_sigaction == on_bus as *const () as usize {
            // A fork in the middle of this function: it is done already.
            return true;
        }
        PREVIOUS.handler.store(old.sa_sigaction, Ordering::SeqCst);
        PREVIOUS.flags.store(old.sa_flags, Ordering::SeqCst);
        PREVIOUS.mask.get().write(MaybeUninit::new(old.sa_mask));
        let mut new: libc::sigaction = std::mem::zeroed();
        new.sa_sigaction = on_bus as *const () as usize;
        // On the thread's own signal stack where it has one; a signal that somebody sent interrupts no system call.
        new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        libc::sigemptyset(&raw mut new.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const new, ptr::null_mut()) == 0
    }
}

extern "C" fn on_bus(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the location of errno is the thread's own and always valid.
    let errno = unsafe { *os::errno_location() };
    // SAFETY: the system hands over a valid siginfo; a handler that passes the signal on may have lost it.
    let (code, addr) = match unsafe { info.as_ref() } {
        // SAFETY: SIGBUS carries an address when its code says that the system sent it.
        Some(i) => (i.si_code, if i.si_code > 0 { unsafe { i.si_addr() as usize } } else { 0 }),
        None => (0, 0),
    };
    let is_cured = os::LOST_PAGE.contains(&code) && (contain(addr) || (repeats(code) && !is_second(addr)));
    if !is_cured {
        pass_on(signal, code, info, context);
    }
    // SAFETY: as above.
    unsafe { *os::errno_location() = errno };
}

/// Whether a fault with this code happens again when the handler returns; what was sent does not.
fn repeats(code: c_int) -> bool {
    code > 0 && !os::SENT_BY_SYSTEM.contains(&code)
}

/// Whether this thread met a fault at this address just before. Threads that share a place may make each other try once more than needed.
fn is_second(addr: usize) -> bool {
    static LAST: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];
    // SAFETY: the call has no conditions. The address of errno tells threads apart and costs nothing.
    let thread = unsafe { os::errno_location() as usize };
    let key = (addr ^ thread.rotate_left(24)) | 1;
    let last = &LAST[(thread >> 6 ^ thread >> 12) % LAST.len()];
    let second = last.load(Ordering::SeqCst) == key;
    last.store(if second { 0 } else { key }, Ordering::SeqCst);
    second
}

/// Does what the system would have done had we never been there.
fn pass_on(signal: c_int, code: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let (handler, flags) = (PREVIOUS.handler.load(Ordering::SeqCst), PREVIOUS.flags.load(Ordering::SeqCst));
    match handler {
        libc::SIG_IGN if !repeats(code) => {}
        // The system does not let a fault be ignored either.
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: all zeros is the default action without flags; both calls are async-signal-safe.
            unsafe {
                let mut default: libc::sigaction = std::mem::zeroed();
                default.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(libc::SIGBUS, &raw const default, ptr::null_mut());
                if !repeats(code) {
                    libc::raise(signal);
                }
            }
        }
        _ => {
            if flags & libc::SA_RESETHAND != 0 {
                PREVIOUS.handler.store(libc::SIG_DFL, Ordering::SeqCst);
            }
            // SAFETY: 1. the mask was written before our handler stood; 2. the sets live through the calls, which are async-signal-safe;
            // 3. the thread's mask comes back by itself when we return; 4. the function was installed with these flags, so it takes
            // three arguments if they say SA_SIGINFO, else one.
            unsafe {
                libc::pthread_sigmask(libc::SIG_BLOCK, PREVIOUS.mask.get().cast(), ptr::null_mut());
                if flags & libc::SA_NODEFER != 0 {
                    let mut bus: libc::sigset_t = std::mem::zeroed();
                    libc::sigemptyset(&raw mut bus);
                    libc::sigaddset(&raw mut bus, libc::SIGBUS);
                    libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const bus, ptr::null_mut());
                }
                if flags & libc::SA_SIGINFO != 0 {
                    type Full = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
                    transmute::<usize, Full>(handler)(signal, info, context);
                } else {
                    transmute::<usize, extern "C" fn(c_int)>(handler)(signal);
                }
            }
        }
    }
}
