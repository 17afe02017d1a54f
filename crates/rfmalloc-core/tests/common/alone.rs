//! Tests in processes of their own: what sends signals, dies or changes its handlers must not meet the other tests.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

const CHILD: &str = "RFMALLOC_TEST_ALONE";

/// Whether this process was started to run a test alone.
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the test `name` of this file again in a process of its own, with more environment.
pub fn run(name: &str, env: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env_remove("RFMALLOC_SIGBUS")
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

/// Runs `body` in a process of its own, which must end well.
#[track_caller]
pub fn passes(name: &str, body: impl FnOnce()) {
    if is_child() {
        return body();
    }
    let out = run(name, &[]);
    assert!(out.status.success(), "{name}: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
}

/// Runs `body` in a process of its own, which must die of `signal` after it printed `here`.
#[track_caller]
pub fn dies(name: &str, signal: i32, env: &[(&str, &str)], body: impl FnOnce()) {
    if is_child() {
        return body();
    }
    let out = run(name, env);
    let text = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.signal(), Some(signal), "{name}: {}\n{text}", out.status);
    assert!(text.contains("here"), "{name} died too early:\n{text}");
}
