//! The handler of SIGBUS among others: faults that are not ours reach who stood before it, or end the process as they would have without us.

mod common;

use common::{alone, assert_code, booted, bytes, create, folder, open};
use libc::{SIGBUS, c_int, c_void, siginfo_t};
use rfmalloc_core::{Code, Dtype, Handle, Result, Store};
use std::fs::File;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

const LEN: u64 = 1 << 16;

/// A store whose file is cut in the middle of its vector, and that vector.
fn cut_store() -> (tempfile::TempDir, Store, Handle) {
    let dir = folder();
    let path = dir.path().join("s.fm");
    let store = open(&path, &booted(common::BOOT));
    let h = create(&store, Some("x"), 1, LEN);
    File::options().write(true).open(&path).unwrap().set_len(h.facts().off).unwrap();
    (dir, store, h)
}

fn touch(h: &Handle) -> Result<()> {
    common::read(h)?;
    h.pin(0, h.facts().nbytes).map(|_| ())
}

/// A page that is nobody's: of a mapped file without bytes.
fn foreign() -> *mut u8 {
    let file = tempfile::tempfile().unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    file.set_len(4096).unwrap();
    // SAFETY: a fresh mapping at an address of the kernel's choice.
    let p = unsafe { libc::mmap(ptr::null_mut(), 4096, libc::PROT_READ, libc::MAP_SHARED, fd, 0) };
    assert_ne!(p, libc::MAP_FAILED);
    file.set_len(0).unwrap();
    p.cast()
}

fn load(p: *mut u8) -> u8 {
    // SAFETY: mapped; the fault is what is tested.
    unsafe { ptr::read_volatile(p) }
}

static CALLS: AtomicUsize = AtomicUsize::new(0);
static ADDR: AtomicUsize = AtomicUsize::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static BLOCKED: AtomicI32 = AtomicI32::new(-1);

/// Cures a foreign fault by a page of zeros and notes what it was told.
extern "C" fn full(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
    assert!(!context.is_null());
    // SAFETY: handed over by the system, or by whoever chains.
    let (addr, code) = unsafe { ((*info).si_addr() as usize, (*info).si_code) };
    ADDR.store(addr, Ordering::SeqCst);
    CODE.store(code, Ordering::SeqCst);
    cure(addr);
}

fn cure(addr: usize) {
    CALLS.fetch_add(1, Ordering::SeqCst);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let page = (addr & !4095) as *mut c_void;
    // SAFETY: 1. the page of `foreign`; 2. the sets live through the calls.
    unsafe {
        libc::mmap(page, 4096, libc::PROT_READ, flags, -1, 0);
        let mut now: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &raw mut now);
        let bit = |s| libc::sigismember(&raw const now, s);
        BLOCKED.store(bit(SIGBUS) + 2 * bit(libc::SIGUSR1), Ordering::SeqCst);
    }
}

/// An old-style handler knows no address; the test told it.
extern "C" fn old_style(signal: c_int) {
    assert_eq!(signal, SIGBUS);
    cure(ADDR.load(Ordering::SeqCst));
}

fn set_handler(handler: usize, flags: c_int) -> libc::sigaction {
    // SAFETY: the handlers above have the signatures that their flags ask for.
    unsafe {
        let mut new: libc::sigaction = std::mem::zeroed();
        let mut old: libc::sigaction = std::mem::zeroed();
        new.sa_sigaction = handler;
        new.sa_flags = flags;
        libc::sigaddset(&raw mut new.sa_mask, libc::SIGUSR1);
        assert_eq!(libc::sigaction(SIGBUS, &raw const new, &raw mut old), 0);
        old
    }
}

#[test]
fn a_handler_installed_before_gets_what_is_not_ours() {
    alone::passes("a_handler_installed_before_gets_what_is_not_ours", || {
        set_handler(full as *const () as usize, libc::SA_SIGINFO);
        let (_dir, store, h) = cut_store();
        assert_code(touch(&h), Code::Io);
        assert_eq!(CALLS.load(Ordering::SeqCst), 0, "our own fault was passed on");
        for n in 1..=3 {
            let p = foreign();
            assert_eq!(load(p.wrapping_add(100)), 0);
            assert_eq!(CALLS.load(Ordering::SeqCst), n);
            assert_eq!(ADDR.load(Ordering::SeqCst), p as usize + 100);
            assert_eq!(CODE.load(Ordering::SeqCst), 2, "BUS_ADRERR");
            // As the system would have it: the signal itself and the handler's mask are blocked meanwhile.
            assert_eq!(BLOCKED.load(Ordering::SeqCst), 3);
        }
        assert_code(store.close(), Code::Poisoned);
    });
}

#[test]
fn an_old_style_handler_installed_before_works() {
    alone::passes("an_old_style_handler_installed_before_works", || {
        set_handler(old_style as *const () as usize, libc::SA_NODEFER);
        let (_dir, store, h) = cut_store();
        assert_code(touch(&h), Code::Io);
        assert_eq!(CALLS.load(Ordering::SeqCst), 0);
        let p = foreign();
        ADDR.store(p as usize, Ordering::SeqCst);
        assert_eq!(load(p), 0);
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        assert_eq!(BLOCKED.load(Ordering::SeqCst), 2, "SA_NODEFER: the signal itself is not blocked");
        assert_code(store.close(), Code::Poisoned);
    });
}

#[test]
fn a_handler_for_one_time_is_used_once() {
    alone::dies("a_handler_for_one_time_is_used_once", SIGBUS, &[], || {
        set_handler(full as *const () as usize, libc::SA_SIGINFO | libc::SA_RESETHAND);
        let (_dir, _store, h) = cut_store();
        assert_eq!(load(foreign()), 0);
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        assert_code(touch(&h), Code::Io);
        println!("here");
        load(foreign());
    });
}

#[test]
fn a_handler_installed_later_that_passes_on_to_us_works() {
    static OLD: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn later(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        CALLS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: our handler, as sigaction told it; SA_SIGINFO was among its flags.
        let ours: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
            unsafe { std::mem::transmute(OLD.load(Ordering::SeqCst)) };
        ours(signal, info, context);
    }
    alone::passes("a_handler_installed_later_that_passes_on_to_us_works", || {
        let (_dir, store, h) = cut_store();
        let old = set_handler(later as *const () as usize, libc::SA_SIGINFO | libc::SA_ONSTACK);
        assert_ne!(old.sa_flags & libc::SA_SIGINFO, 0);
        OLD.store(old.sa_sigaction, Ordering::SeqCst);
        assert_code(touch(&h), Code::Io);
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        // Stores opened after it are watched by ours all the same, which is not installed a second time.
        let (_dir2, store2, h2) = cut_store();
        assert_code(touch(&h2), Code::Io);
        assert_eq!(CALLS.load(Ordering::SeqCst), 2);
        assert_code(store.close(), Code::Poisoned);
        assert_code(store2.close(), Code::Poisoned);
    });
}

#[test]
fn a_fault_that_a_close_overtakes_is_no_foreign_one() {
    // Regression: a thread faulted in a view of a cut file, and before its handler ran another thread closed the store. The handler found
    // nobody watching the address and let the default action end the process, although the page was blank by then.
    static OLD: AtomicUsize = AtomicUsize::new(0);
    static STEP: AtomicI32 = AtomicI32::new(0);
    fn wait_for(step: i32) {
        while STEP.load(Ordering::SeqCst) != step {
            std::thread::yield_now();
        }
    }
    extern "C" fn slow(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        STEP.store(1, Ordering::SeqCst);
        wait_for(2);
        // SAFETY: as in `later`.
        let ours: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
            unsafe { std::mem::transmute(OLD.load(Ordering::SeqCst)) };
        ours(signal, info, context);
    }
    alone::passes("a_fault_that_a_close_overtakes_is_no_foreign_one", || {
        let (_dir, store, h) = cut_store();
        let pin = h.pin(0, h.facts().nbytes).unwrap();
        let old = set_handler(slow as *const () as usize, libc::SA_SIGINFO | libc::SA_ONSTACK);
        OLD.store(old.sa_sigaction, Ordering::SeqCst);
        std::thread::scope(|s| {
            let reader = s.spawn(|| load(pin.ptr()));
            wait_for(1);
            let _ = store.close();
            STEP.store(2, Ordering::SeqCst);
            assert_eq!(reader.join().unwrap(), 0);
        });
    });
}

#[test]
fn a_fault_that_is_not_ours_ends_the_process() {
    alone::dies("a_fault_that_is_not_ours_ends_the_process", SIGBUS, &[], || {
        set_handler(libc::SIG_DFL, 0);
        let (_dir, _store, h) = cut_store();
        assert_code(touch(&h), Code::Io);
        println!("here");
        load(foreign());
    });
}

#[test]
fn a_fault_cannot_be_ignored_but_a_sent_signal_can() {
    alone::dies("a_fault_cannot_be_ignored_but_a_sent_signal_can", SIGBUS, &[], || {
        set_handler(libc::SIG_IGN, 0);
        let (_dir, _store, h) = cut_store();
        assert_code(touch(&h), Code::Io);
        // SAFETY: no pointers.
        unsafe { libc::raise(SIGBUS) };
        println!("here");
        load(foreign());
    });
}

#[test]
fn a_sent_signal_ends_the_process() {
    alone::dies("a_sent_signal_ends_the_process", SIGBUS, &[], || {
        set_handler(libc::SIG_DFL, 0);
        let (_dir, _store, h) = cut_store();
        assert_code(touch(&h), Code::Io);
        println!("here");
        // SAFETY: no pointers.
        unsafe { libc::kill(libc::getpid(), SIGBUS) };
        loop {
            std::thread::yield_now();
        }
    });
}

#[test]
fn a_read_behind_the_watched_mapping_is_not_ours() {
    alone::dies("a_read_behind_the_watched_mapping_is_not_ours", SIGBUS, &[], || {
        set_handler(libc::SIG_DFL, 0);
        let (_dir, store, h) = cut_store();
        assert_code(touch(&h), Code::Io);
        assert_code(store.close(), Code::Poisoned);
        // The table's entries are free again: whatever lies there now belongs to others.
        println!("here");
        load(foreign());
    });
}

#[test]
fn errno_and_the_signal_mask_are_left_alone() {
    alone::passes("errno_and_the_signal_mask_are_left_alone", || {
        let (_dir, store, h) = cut_store();
        let pin = store.open_id(h.facts().id, h.facts().generation).unwrap().pin(0, 4).err();
        assert!(pin.is_none(), "nothing was touched yet");
        let pin = h.pin(0, h.facts().nbytes).unwrap();
        // SAFETY: errno is the thread's own; the pin keeps its range mapped; the set lives through the call.
        unsafe {
            *libc::__errno_location() = 77;
            let _ = load(pin.ptr());
            assert_eq!(*libc::__errno_location(), 77);
            let mut now: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &raw mut now);
            assert_eq!(libc::sigismember(&raw const now, SIGBUS), 0);
        }
        assert_code(touch(&h), Code::Io);
        assert_code(store.close(), Code::Poisoned);
    });
}

#[test]
fn threads_with_and_without_a_stack_for_signals() {
    alone::passes("threads_with_and_without_a_stack_for_signals", || {
        extern "C" fn bare(pin: *mut c_void) -> *mut c_void {
            load(pin.cast());
            ptr::null_mut()
        }
        let (_dir, store, h) = cut_store();
        let pin = h.pin(0, h.facts().nbytes).unwrap();
        let mut thread: libc::pthread_t = 0;
        // SAFETY: the function touches one pinned byte; the thread is joined. Only Rust's own threads have a signal stack.
        unsafe {
            assert_eq!(libc::pthread_create(&raw mut thread, ptr::null(), bare, pin.ptr().cast()), 0);
            libc::pthread_join(thread, ptr::null_mut());
        }
        assert_code(touch(&h), Code::Io);
        let (_dir2, store2, h2) = cut_store();
        std::thread::scope(|s| s.spawn(|| assert_code(touch(&h2), Code::Io)).join().unwrap());
        assert_code(store.close(), Code::Poisoned);
        assert_code(store2.close(), Code::Poisoned);
    });
}

#[test]
fn a_forked_child_contains_its_own_faults() {
    alone::passes("a_forked_child_contains_its_own_faults", || {
        let (_dir, store, h) = cut_store();
        let pin = h.pin(0, h.facts().nbytes).unwrap();
        // SAFETY: the child only touches memory and leaves by _exit.
        let status = unsafe {
            match libc::fork() {
                0 => {
                    let zero = load(pin.ptr()) == 0;
                    libc::_exit(i32::from(!zero || touch(&h).is_ok()))
                }
                child => {
                    let mut status = 0;
                    libc::waitpid(child, &raw mut status, 0);
                    status
                }
            }
        };
        assert_eq!(status, 0, "the child ended badly");
        // The parent has lost nothing yet.
        let fresh = store.open_id(h.facts().id, h.facts().generation).unwrap();
        assert_code(touch(&fresh), Code::Io);
        assert_code(store.close(), Code::Poisoned);
    });
}

#[test]
fn ten_gigabytes_of_lost_pages_cost_one_fault() {
    alone::passes("ten_gigabytes_of_lost_pages_cost_one_fault", || {
        extern "C" fn counting(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
            CALLS.fetch_add(1, Ordering::SeqCst);
            // SAFETY: as in `later`.
            let ours: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                unsafe { std::mem::transmute(ADDR.load(Ordering::SeqCst)) };
            ours(signal, info, context);
        }
        let dir = folder();
        let path = dir.path().join("big");
        // A plain sparse file: its pages need not exist to be lost.
        File::create(&path).unwrap().set_len(10 << 30).unwrap();
        let v = rfmalloc_core::MappedFile::open(&path, Dtype::Raw, None, true).unwrap();
        ADDR.store(
            set_handler(counting as *const () as usize, libc::SA_SIGINFO).sa_sigaction,
            Ordering::SeqCst,
        );
        File::options().write(true).open(&path).unwrap().set_len(4096).unwrap();
        let p = v.window(0, 10 << 30).unwrap();
        for gib in 0..10usize {
            assert_eq!(load(p.wrapping_add((gib << 30) + 8192)), 0);
        }
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        let v = rfmalloc_core::Vector::File(std::sync::Arc::new(v));
        assert_code(v.check_whole(5000, 1, false), Code::Io);
        assert_eq!(bytes(0, 1), [0; 4]);
        v.check_whole(0, 4096, false).unwrap();
    });
}
