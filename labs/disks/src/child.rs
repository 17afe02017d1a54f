//! Child processes: each case runs in one of its own, so that a signal, an abort or a hang is a failure of that case alone.

use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Runs `act` in a child made by `fork`; its findings, or what became of it. The caller has one thread.
pub(crate) fn in_child(limit: Duration, act: impl FnOnce() -> Vec<String>) -> Vec<String> {
    let mut ends = [0i32; 2];
    // SAFETY: plain system calls; this process has one thread, so the child may go on as it likes.
    let pid = unsafe {
        assert!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) == 0, "pipe");
        libc::fork()
    };
    assert!(pid >= 0, "fork");
    // SAFETY: each end is owned by one File.
    let (mut from, mut to) =
        unsafe { (std::fs::File::from_raw_fd(ends[0]), std::fs::File::from_raw_fd(ends[1])) };
    if pid == 0 {
        drop(from);
        let found = catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|p| {
            let text = p.downcast_ref::<String>().cloned();
            vec![format!(
                "panicked: {}",
                text.or_else(|| p.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
            )]
        });
        let _ = to.write_all(found.join("\u{1e}").as_bytes());
        // SAFETY: ends the child without the parent's exit work.
        unsafe { libc::_exit(0) }
    }
    drop(to);
    let ended = wait(pid, limit);
    let mut text = String::new();
    if let Err(how) = ended {
        // What the child said before it went is of no use; a child that hangs has said nothing.
        return vec![how];
    }
    let _ = from.read_to_string(&mut text);
    text.split('\u{1e}').filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

fn wait(pid: i32, limit: Duration) -> Result<(), String> {
    let begun = Instant::now();
    // SAFETY: plain system calls on our own child.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as i32;
    let mut status = 0;
    loop {
        // SAFETY: as above; `status` is ours.
        if unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == pid {
            break;
        }
        let left = limit.saturating_sub(begun.elapsed());
        if left.is_zero() {
            // SAFETY: ends and reaps the child we made.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, &raw mut status, 0);
                libc::close(fd);
            }
            return Err(format!("hung for {limit:?}"));
        }
        let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid structure.
        unsafe { libc::poll(&raw mut poll, 1, left.as_millis() as i32 + 1) };
    }
    // SAFETY: ours.
    unsafe { libc::close(fd) };
    if libc::WIFSIGNALED(status) {
        return Err(format!("died of signal {}", libc::WTERMSIG(status)));
    }
    match libc::WEXITSTATUS(status) {
        0 => Ok(()),
        n => Err(format!("exited with {n}")),
    }
}
