//! Failing system calls, whoever makes them: a seccomp filter turns the calls of the list below into a `SIGSYS` in the calling thread,
//! whose handler counts the call and either makes it, through a gate the filter lets pass, or answers with an error in its place.
//!
//! Nothing of the product is changed, and it does not matter whether a call is made by libc or by rustix's own instructions. Only calls
//! that concern a store are counted: mappings of files, the reservation of address space and what lies in it; not the allocator's.
//! A filter cannot be taken off, so it is installed in a child process (`child.rs`).

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering::SeqCst};

/// A kind of system call, counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Call {
    Open,
    OpenProc,
    OpenUnnamed,
    Stat,
    StatFs,
    Lock,
    Allocate,
    ZeroRange,
    Truncate,
    SyncData,
    Sync,
    MsyncWait,
    MsyncStart,
    MapFile,
    Reserve,
    Blank,
    Unmap,
    Advise,
    AdviseFile,
    Link,
    Unlink,
    Rename,
    ReadLink,
    ReadAt,
    WriteAt,
    Read,
    Thread,
}

impl Call {
    pub(crate) const ALL: [Self; 27] = [
        Self::Open,
        Self::OpenProc,
        Self::OpenUnnamed,
        Self::Stat,
        Self::StatFs,
        Self::Lock,
        Self::Allocate,
        Self::ZeroRange,
        Self::Truncate,
        Self::SyncData,
        Self::Sync,
        Self::MsyncWait,
        Self::MsyncStart,
        Self::MapFile,
        Self::Reserve,
        Self::Blank,
        Self::Unmap,
        Self::Advise,
        Self::AdviseFile,
        Self::Link,
        Self::Unlink,
        Self::Rename,
        Self::ReadLink,
        Self::ReadAt,
        Self::WriteAt,
        Self::Read,
        Self::Thread,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::OpenProc => "open(/proc)",
            Self::OpenUnnamed => "open(O_TMPFILE)",
            Self::Stat => "stat",
            Self::StatFs => "statfs",
            Self::Lock => "flock",
            Self::Allocate => "fallocate",
            Self::ZeroRange => "fallocate(ZERO_RANGE)",
            Self::Truncate => "ftruncate",
            Self::SyncData => "fdatasync",
            Self::Sync => "fsync",
            Self::MsyncWait => "msync",
            Self::MsyncStart => "msync(ASYNC)",
            Self::MapFile => "mmap(file)",
            Self::Reserve => "mmap(reserve)",
            Self::Blank => "mmap(blank)",
            Self::Unmap => "munmap",
            Self::Advise => "madvise",
            Self::AdviseFile => "fadvise",
            Self::Link => "link",
            Self::Unlink => "unlink",
            Self::Rename => "rename",
            Self::ReadLink => "readlink",
            Self::ReadAt => "pread",
            Self::WriteAt => "pwrite",
            Self::Read => "read",
            Self::Thread => "thread",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }

    /// Failures that an act must tell of: nothing else can have been done instead.
    fn must_be_told(self, errno: i32) -> bool {
        let lasting = errno != libc::EINTR && errno != libc::EOPNOTSUPP;
        lasting && matches!(self, Self::SyncData | Self::Sync | Self::MsyncWait | Self::MapFile)
    }

    /// Errors the call may give, the likeliest first.
    pub(crate) fn errnos(self) -> &'static [i32] {
        use libc::{
            EACCES, EAGAIN, EDQUOT, EEXIST, EFBIG, EINTR, EIO, EISDIR, EMFILE, ENOENT, ENOLCK, ENOMEM,
            ENOSPC, EOPNOTSUPP, EPERM, EROFS, EXDEV,
        };
        match self {
            Self::Open => &[EMFILE, EIO, EACCES, EINTR, ENOMEM],
            // A sandbox refuses for good, with EACCES or ENOENT: then the store acts as if each open were after another boot.
            Self::OpenProc => &[EMFILE, ENOMEM, EINTR],
            Self::OpenUnnamed => &[EOPNOTSUPP, EIO, EISDIR, ENOSPC, EDQUOT, EMFILE, EINTR, EROFS],
            Self::Stat | Self::MsyncStart => &[EIO, ENOMEM],
            Self::Lock => &[ENOLCK, EINTR, EIO],
            Self::Allocate => &[ENOSPC, EIO, EDQUOT, EINTR, EFBIG, EOPNOTSUPP],
            Self::ZeroRange => &[EOPNOTSUPP, EIO, ENOSPC, EINTR],
            Self::Truncate => &[EIO, EINTR, EPERM],
            Self::SyncData | Self::Sync | Self::MsyncWait => &[EIO, ENOSPC, EDQUOT, EINTR, ENOMEM],
            Self::MapFile | Self::Reserve | Self::Blank => &[ENOMEM, EAGAIN, EIO],
            Self::Unmap | Self::Thread => &[ENOMEM],
            Self::Advise => &[EAGAIN, EIO, ENOMEM],
            Self::AdviseFile => &[EIO],
            Self::Link => &[EIO, ENOENT, EPERM, EEXIST, ENOSPC, EDQUOT, EXDEV, EINTR],
            // Never EINTR: no system interrupts an unlink, and nothing tries one again.
            Self::Unlink | Self::ReadLink => &[EIO, EACCES],
            Self::Rename => &[EIO, EEXIST, ENOSPC],
            Self::StatFs | Self::ReadAt | Self::Read => &[EIO, EINTR],
            Self::WriteAt => &[EIO, ENOSPC, EDQUOT, EINTR],
        }
    }
}

/// "Every call of this kind", as the number of a plan.
pub(crate) const EVERY: u32 = u32::MAX;

/// One planned failure: the `nth` call of this kind (from 0) gives `errno`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) call: Call,
    pub(crate) nth: u32,
    pub(crate) errno: i32,
}

/// What the handler counts by and obeys; in memory that parent and child share.
#[repr(C)]
pub(crate) struct Board {
    armed: AtomicBool,
    pub(crate) counts: [AtomicU32; Call::ALL.len()],
    plans: [[AtomicU32; 3]; 4],
    /// Failures given so far.
    pub(crate) fired: AtomicU32,
    /// A failure was given that nothing can put right: neither a retried interruption, nor mere advice, nor a call with another way.
    told: AtomicBool,
    /// Address ranges that belong to stores.
    ranges: [[AtomicUsize; 2]; 512],
    ranges_used: AtomicUsize,
}

static BOARD: AtomicUsize = AtomicUsize::new(0);

fn board() -> Option<&'static Board> {
    let at = BOARD.load(SeqCst) as *const Board;
    // SAFETY: set once to a mapping of that type, all zero at first, which is never unmapped.
    unsafe { at.as_ref() }
}

impl Board {
    /// Makes the shared memory; once, before the first child.
    pub(crate) fn make() -> &'static Self {
        // SAFETY: fresh anonymous memory, zero; all fields are atomics, for which zero is valid.
        unsafe {
            let p = libc::mmap(
                std::ptr::null_mut(),
                size_of::<Self>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert!(p != libc::MAP_FAILED, "no shared memory");
            BOARD.store(p as usize, SeqCst);
            &*p.cast::<Self>()
        }
    }

    /// For the next child: nothing counted, these failures planned.
    pub(crate) fn reset(&self, plans: &[Plan]) {
        self.armed.store(false, SeqCst);
        self.fired.store(0, SeqCst);
        self.told.store(false, SeqCst);
        self.ranges_used.store(0, SeqCst);
        for c in &self.counts {
            c.store(0, SeqCst);
        }
        for (i, slot) in self.plans.iter().enumerate() {
            match plans.get(i) {
                Some(p) => {
                    slot[0].store(p.call as u32 + 1, SeqCst);
                    slot[1].store(p.nth, SeqCst);
                    slot[2].store(p.errno as u32, SeqCst);
                }
                None => slot[0].store(0, SeqCst),
            }
        }
    }

    pub(crate) fn arm(&self, on: bool) -> bool {
        self.armed.swap(on, SeqCst)
    }

    pub(crate) fn count(&self, call: Call) -> u32 {
        self.counts[call as usize].load(SeqCst)
    }

    /// Counts a call; the error it is to give, if one is planned.
    fn verdict(&self, call: Call) -> Option<i32> {
        if !self.armed.load(SeqCst) {
            return None;
        }
        let n = self.counts[call as usize].fetch_add(1, SeqCst);
        for slot in &self.plans {
            let nth = slot[1].load(SeqCst);
            if slot[0].load(SeqCst) == call as u32 + 1 && (nth == n || nth == EVERY) {
                self.fired.fetch_add(1, SeqCst);
                let errno = slot[2].load(SeqCst) as i32;
                if call.must_be_told(errno) {
                    self.told.store(true, SeqCst);
                }
                return Some(errno);
            }
        }
        None
    }

    /// Whether some failure given so far must have reached the caller.
    pub(crate) fn must_be_told(&self) -> bool {
        self.told.load(SeqCst)
    }

    fn note_range(&self, start: usize, len: usize) {
        let i = self.ranges_used.fetch_add(1, SeqCst);
        if let Some(r) = self.ranges.get(i) {
            r[1].store(len, SeqCst);
            r[0].store(start, SeqCst);
        }
    }

    fn forget_range(&self, start: usize, len: usize) {
        for r in &self.ranges {
            if r[0].load(SeqCst) == start && r[1].load(SeqCst) <= len {
                r[1].store(0, SeqCst);
            }
        }
    }

    fn is_ours(&self, at: usize) -> bool {
        self.ranges.iter().any(|r| at.wrapping_sub(r[0].load(SeqCst)) < r[1].load(SeqCst))
    }
}

/// Runs `f` without counting or failing anything.
pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> T {
    let Some(b) = board() else { return f() };
    let was = b.arm(false);
    let out = f();
    b.arm(was);
    out
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn install() -> Result<(), String> {
    Err("the injector knows Linux on x86-64 only".into())
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) use linux::install;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux {
    use super::{AtomicI64, Call, SeqCst, board};
    use libc::{c_int, c_void, siginfo_t, sock_filter, ucontext_t};

    std::arch::global_asm!(
        ".p2align 4",
        "rfmalloc_lab_gate:",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "mov r8, r9",
        "mov r9, [rsp + 8]",
        "syscall",
        "rfmalloc_lab_gate_end:",
        "ret",
    );
    unsafe extern "C" {
        fn rfmalloc_lab_gate(nr: i64, a: i64, b: i64, c: i64, d: i64, e: i64, f: i64) -> i64;
        fn rfmalloc_lab_gate_end();
    }

    /// The calls that trap. Not `close`: one that fails has closed all the same.
    const TRAPPED: [i64; 30] = [
        libc::SYS_open,
        libc::SYS_openat,
        libc::SYS_fstat,
        libc::SYS_stat,
        libc::SYS_lstat,
        libc::SYS_statx,
        libc::SYS_newfstatat,
        libc::SYS_statfs,
        libc::SYS_fstatfs,
        libc::SYS_flock,
        libc::SYS_fallocate,
        libc::SYS_ftruncate,
        libc::SYS_fdatasync,
        libc::SYS_fsync,
        libc::SYS_msync,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_madvise,
        libc::SYS_fadvise64,
        libc::SYS_link,
        libc::SYS_linkat,
        libc::SYS_unlink,
        libc::SYS_unlinkat,
        libc::SYS_rename,
        libc::SYS_renameat2,
        libc::SYS_readlink,
        libc::SYS_readlinkat,
        libc::SYS_pread64,
        libc::SYS_pwrite64,
        libc::SYS_read,
    ];

    fn is_proc(path: i64) -> bool {
        // SAFETY: the path of an open call, which ends in NUL: no byte is read beyond the first that differs.
        b"/proc".iter().enumerate().all(|(i, c)| unsafe { *(path as *const u8).add(i) } == *c)
    }

    fn kind(nr: i64, args: [i64; 6]) -> Option<Call> {
        let b = board()?;
        Some(match nr {
            libc::SYS_open if args[1] as c_int & libc::O_TMPFILE == libc::O_TMPFILE => Call::OpenUnnamed,
            libc::SYS_openat if args[2] as c_int & libc::O_TMPFILE == libc::O_TMPFILE => Call::OpenUnnamed,
            libc::SYS_open if is_proc(args[0]) => Call::OpenProc,
            libc::SYS_openat if is_proc(args[1]) => Call::OpenProc,
            libc::SYS_open | libc::SYS_openat => Call::Open,
            libc::SYS_fstat | libc::SYS_stat | libc::SYS_lstat | libc::SYS_statx | libc::SYS_newfstatat => {
                Call::Stat
            }
            libc::SYS_statfs | libc::SYS_fstatfs => Call::StatFs,
            libc::SYS_flock => Call::Lock,
            libc::SYS_fallocate if args[1] != 0 => Call::ZeroRange,
            libc::SYS_fallocate => Call::Allocate,
            libc::SYS_ftruncate => Call::Truncate,
            libc::SYS_fdatasync => Call::SyncData,
            libc::SYS_fsync => Call::Sync,
            libc::SYS_msync if args[2] as c_int & libc::MS_SYNC != 0 => Call::MsyncWait,
            libc::SYS_msync => Call::MsyncStart,
            libc::SYS_mmap => {
                let (prot, flags, fd) = (args[2] as c_int, args[3] as c_int, args[4] as c_int);
                match () {
                    () if flags & libc::MAP_STACK != 0 && prot == libc::PROT_NONE => Call::Thread,
                    () if fd >= 0 && flags & libc::MAP_ANONYMOUS == 0 => Call::MapFile,
                    () if flags & libc::MAP_FIXED != 0 && b.is_ours(args[0] as usize) => Call::Blank,
                    () if flags & libc::MAP_NORESERVE != 0 && prot != libc::PROT_NONE => Call::Reserve,
                    () => return None,
                }
            }
            libc::SYS_munmap if b.is_ours(args[0] as usize) => Call::Unmap,
            libc::SYS_madvise if b.is_ours(args[0] as usize) => Call::Advise,
            libc::SYS_fadvise64 => Call::AdviseFile,
            libc::SYS_link | libc::SYS_linkat => Call::Link,
            libc::SYS_unlink | libc::SYS_unlinkat => Call::Unlink,
            libc::SYS_rename | libc::SYS_renameat2 => Call::Rename,
            libc::SYS_readlink | libc::SYS_readlinkat => Call::ReadLink,
            libc::SYS_pread64 => Call::ReadAt,
            libc::SYS_pwrite64 => Call::WriteAt,
            libc::SYS_read => Call::Read,
            _ => return None,
        })
    }

    static HANDLED: AtomicI64 = AtomicI64::new(0);

    extern "C" fn on_sigsys(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: 1. the kernel hands a SA_SIGINFO handler a valid context; 2. the handler touches only atomics and makes the very call that
        // the interrupted code was about to make, with its arguments.
        unsafe {
            let regs = &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs;
            let nr = regs[libc::REG_RAX as usize];
            let args =
                [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10, libc::REG_R8, libc::REG_R9]
                    .map(|r| regs[r as usize]);
            let kind = kind(nr, args);
            let planned = kind.and_then(|k| board().and_then(|b| b.verdict(k)));
            let result = match planned {
                Some(errno) => -i64::from(errno),
                None => rfmalloc_lab_gate(nr, args[0], args[1], args[2], args[3], args[4], args[5]),
            };
            if let Some(b) = board() {
                match kind {
                    Some(Call::MapFile | Call::Reserve)
                        if !(-4095..0).contains(&result) && !b.is_ours(result as usize) =>
                    {
                        b.note_range(result as usize, args[1] as usize);
                    }
                    Some(Call::Unmap) if result == 0 => b.forget_range(args[0] as usize, args[1] as usize),
                    _ => {}
                }
            }
            HANDLED.fetch_add(1, SeqCst);
            regs[libc::REG_RAX as usize] = result;
        }
    }

    fn op(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
        sock_filter { code: code as u16, jt, jf, k }
    }

    /// Installs filter and handler for this process and every thread it makes; for good.
    pub(crate) fn install() -> Result<(), String> {
        use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
        let (load, jump, ret) = (BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K);
        let gate = rfmalloc_lab_gate_end as *const () as usize as u64;
        let n = TRAPPED.len() as u8;
        let mut filter = vec![
            // The gate's own instruction passes.
            op(load, 0, 0, 8),
            op(jump, 0, 3, gate as u32),
            op(load, 0, 0, 12),
            op(jump, 0, 1, (gate >> 32) as u32),
            op(ret, 0, 0, libc::SECCOMP_RET_ALLOW),
            op(load, 0, 0, 0),
        ];
        for (i, nr) in TRAPPED.iter().enumerate() {
            filter.push(op(jump, n - i as u8, 0, *nr as u32));
        }
        filter.push(op(ret, 0, 0, libc::SECCOMP_RET_ALLOW));
        // madvise of a thread that ends comes with every signal blocked, and is none of ours.
        filter.push(op(jump, 0, 3, libc::SYS_madvise as u32));
        filter.push(op(load, 0, 0, 16 + 2 * 8));
        filter.push(op(jump, 0, 1, libc::MADV_DONTNEED as u32));
        filter.push(op(ret, 0, 0, libc::SECCOMP_RET_ALLOW));
        filter.push(op(ret, 0, 0, libc::SECCOMP_RET_TRAP));
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: plain system calls with valid, initialised structures.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_sigsys as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_RESTART;
            if libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()) != 0 {
                return Err("sigaction failed".into());
            }
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0
            {
                return Err(format!("seccomp: {}", std::io::Error::last_os_error()));
            }
        }
        Ok(())
    }
}
