//! A fuzzer's bytes become a hostile store: its first byte says how the others are read, and what is done with the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rfmalloc_lab_hostile::drive::{Bench, Depth};
use rfmalloc_lab_hostile::mutate::{Hostile, mutate, seal_all};
use rfmalloc_lab_hostile::seeds::{self, BOOT, OTHER_BOOT, Seed};
use rfmalloc_lab_hostile::source::Source;
use std::cell::RefCell;
use std::path::PathBuf;

struct Ground {
    seeds: Vec<Seed>,
    bench: Bench,
}

impl Ground {
    fn new() -> Self {
        let base = if PathBuf::from("/dev/shm").is_dir() { "/dev/shm".into() } else { std::env::temp_dir() };
        let dir = base.join(format!("rfmalloc-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder for the files");
        let seeds = seeds::all(&dir).expect("the seeds");
        Self { seeds, bench: Bench::new(&dir, 0).expect("a file") }
    }
}

/// Stretches written into a seed as they are: offset (three bytes), length (one byte), bytes.
fn raw(seeds: &[Seed], mut rest: &[u8], sealed: bool) -> Hostile {
    let pick = rest.first().copied().unwrap_or(0) as usize % seeds.len();
    let seed = &seeds[pick];
    let mut out = Hostile { image: seed.image.clone(), mode: seed.mode, story: seed.name.into(), touched: (0..8).collect() };
    rest = rest.get(1..).unwrap_or(&[]);
    while let [a, b, c, n, more @ ..] = rest {
        let off = u64::from(*a) << 16 | u64::from(*b) << 8 | u64::from(*c);
        let (bytes, more) = more.split_at(usize::from(*n).min(more.len()));
        out.image.put(off, bytes);
        rest = more;
    }
    if sealed {
        seal_all(&mut out.image);
    }
    out
}

thread_local!(static GROUND: RefCell<Option<Ground>> = const { RefCell::new(None) });

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = data.split_first() else { return };
    GROUND.with_borrow_mut(|ground| {
        let ground = ground.get_or_insert_with(Ground::new);
        let hostile = match how & 3 {
            0 => raw(&ground.seeds, rest, false),
            1 => raw(&ground.seeds, rest, true),
            _ => mutate(&mut Source::Bytes(rest), &ground.seeds),
        };
        let depth = if how & 4 == 0 { Depth::Look } else { Depth::Change };
        let boot = if how & 8 == 0 { BOOT } else { OTHER_BOOT };
        if let Err(what) = ground.bench.try_file(&hostile, boot, depth) {
            panic!("{what}\n  {}", hostile.story);
        }
    });
});
