//! Opening and closing for ever must not use address space up. Alone in its process, since it reads the process's own size.
#![cfg(target_os = "linux")]

mod common;

use common::{BOOT, booted, create, folder, open};

fn vm_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmSize:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn five_hundred_stores_one_after_another_leave_nothing_mapped() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let cycle = |i: u32| {
        let store = open(&path, &booted(BOOT));
        let h = create(&store, None, i, 5000);
        let view = store.segment_view(0, 1 << 32).unwrap();
        let (first, second) = (h.pin(0, 100).unwrap(), h.pin(50, 15_000).unwrap());
        drop(first);
        if i.is_multiple_of(2) {
            // Views may outlive their store.
            store.close().unwrap();
        }
        drop((second, view, h, store));
    };
    cycle(0);
    let (size, files) = (vm_kib(), descriptors());
    for i in 1..500 {
        cycle(i);
    }
    assert!(vm_kib() < size + 64 * 1024, "{size} KiB became {} KiB", vm_kib());
    assert_eq!(descriptors(), files);
}
