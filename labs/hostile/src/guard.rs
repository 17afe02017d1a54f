//! What must not happen, watched: memory taken without bound, a file that takes long, a crash that tells nobody which file it was.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// An allocation of more bytes than this is refused: no file of this lab is a thousandth as long.
const REFUSED: usize = 1 << 30;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
    static FILE: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Counts what each thread allocates.
pub struct Counting;

fn count(n: i64) {
    let _ = LIVE.try_with(|l| {
        l.set(l.get() + n);
        let _ = PEAK.try_with(|p| p.set(p.get().max(l.get())));
    });
}

// SAFETY: everything is passed on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > REFUSED {
            return std::ptr::null_mut();
        }
        count(layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() > REFUSED {
            return std::ptr::null_mut();
        }
        count(layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(p, layout) }
    }
}

/// What one file cost.
pub struct Meter {
    live: i64,
    cpu: Duration,
}

impl Meter {
    /// From now on.
    #[must_use]
    pub fn start() -> Self {
        let live = LIVE.with(Cell::get);
        PEAK.with(|p| p.set(live));
        Self { live, cpu: cpu_time() }
    }
    /// The most bytes of memory at a time, and processor time, since the start.
    #[must_use]
    pub fn read(&self) -> (u64, Duration) {
        let peak = PEAK.with(Cell::get) - self.live;
        (peak.max(0) as u64, cpu_time().saturating_sub(self.cpu))
    }
}

/// Processor time of this thread: does not grow while others use the processor.
fn cpu_time() -> Duration {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut t) };
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

static STARTED: Instants = Instants([const { AtomicU64::new(0) }; 64]);
struct Instants([AtomicU64; 64]);

fn now() -> u64 {
    static ZERO: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    ZERO.get_or_init(Instant::now).elapsed().as_millis() as u64 + 1
}

/// The calling thread (a small number) works on this file from now on.
pub fn begin_file(thread: usize, seed: u64, index: u64) {
    FILE.with(|f| f.set((seed, index)));
    STARTED.0[thread % 64].store(now(), Ordering::Relaxed);
}

/// The calling thread is done.
pub fn end_file(thread: usize) {
    STARTED.0[thread % 64].store(0, Ordering::Relaxed);
}

/// Ends the process with a line that tells the file, when one takes half a minute (a lock that is never let go uses no processor time).
pub fn watch_for_hangs() {
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            for (thread, started) in STARTED.0.iter().enumerate() {
                let at = started.load(Ordering::Relaxed);
                if at != 0 && now() - at > 30_000 {
                    println!(
                        "thread {thread} hangs for 30 s; stacks: attach a debugger to {}",
                        std::process::id()
                    );
                    println!("0 passed, 1 failed");
                    std::process::exit(2);
                }
            }
        }
    });
}

extern "C" fn crashed(signal: libc::c_int) {
    let (seed, index) = FILE.try_with(Cell::get).unwrap_or((0, 0));
    let mut line = [0u8; 160];
    let mut n = 0;
    let mut text = |b: &[u8]| {
        line[n..n + b.len()].copy_from_slice(b);
        n += b.len();
    };
    let mut digits = [0u8; 20];
    text(b"\nCRASHED: signal ");
    text(decimal(signal as u64, &mut digits));
    text(b"; again with: replay ");
    text(decimal(seed, &mut digits));
    text(b":");
    text(decimal(index, &mut digits));
    text(b"\n0 passed, 1 failed\n");
    // SAFETY: write and _exit may be called in a signal handler; the buffer is ours.
    unsafe {
        libc::write(1, line.as_ptr().cast(), n);
        libc::_exit(2);
    }
}

fn decimal(mut n: u64, out: &mut [u8; 20]) -> &[u8] {
    let mut at = 20;
    loop {
        at -= 1;
        out[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return &out[at..];
        }
    }
}

/// A crash tells its file.
pub fn catch_crashes() {
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT, libc::SIGILL, libc::SIGFPE] {
        // SAFETY: the handler only calls what a handler may.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = crashed as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}
