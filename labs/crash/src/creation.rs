//! Files in the making: complete or absent, whatever stops it; and a file that is not ours is never touched.
//!
//! Two ways lead to a store: a file that is filled without a name and then linked, and an empty file that is filled in place. Of both, all
//! images of every event are looked at. An unfinished file must open as a new store; what was acknowledged must open as it was.

use crate::disk::{Disk, Pick};
use crate::look::{booted, no_faults, text};
use crate::model::Model;
use crate::random::Random;
use crate::recorder::{Capture, Fault, Kind, Point, Recorder};
use crate::world::folder;
use rfmalloc_core::{Code, Dtype, OpenOptions, Store};
use std::fs::File;
use std::path::Path;

const MOST_COMBINATIONS: u64 = 4096;
const CREATION_NBYTES: usize = 192 * 1024;

/// Images checked, and the first contradiction.
#[derive(Debug, Default)]
pub struct Found {
    /// Images and files looked at.
    pub images: u64,
    /// What contradicts.
    pub failure: Option<String>,
}

/// All of it, from a seed.
pub fn all(seed: u64) -> Found {
    let mut found = Found::default();
    found.failure = run(seed, &mut found.images).err();
    found
}

fn run(seed: u64, images: &mut u64) -> Result<(), String> {
    let mut random = Random(seed);
    for in_place in [false, true] {
        let points = make(in_place, None)?.1;
        check(&points, &mut random, images).map_err(|why| format!("in place {in_place}: {why}"))?;
        for kind in [Kind::Store, Kind::SyncAll, Kind::Length, Kind::Link] {
            for after in 0..6 {
                let fault = Fault { kind, after, burst: 1, errno: if kind == Kind::Length { 28 } else { 5 } };
                let (failed, points) = make(in_place, Some(fault))?;
                check(&points, &mut random, images)
                    .map_err(|why| format!("in place {in_place}, {fault:?}: {why}"))?;
                if !failed {
                    break;
                }
            }
        }
    }
    foreign(&mut random, images)
}

/// Makes a store and one object in it; with a fault, whatever comes of it must not stand in the way of another try. True: it failed.
fn make(in_place: bool, fault: Option<Fault>) -> Result<(bool, Vec<Point>), String> {
    let dir = folder();
    let path = dir.path().join("new.fm");
    if in_place {
        File::create(&path).map_err(|e| format!("harness: {e}"))?;
    }
    let recorder = Recorder::new(Some(Disk::empty()), vec![Model::default()], 1);
    recorder.capture(Capture::Always);
    if !in_place {
        recorder.unlinked();
    }
    recorder.arm(fault);
    let options = OpenOptions { observer: Some(recorder.clone()), create: true, ..booted(1) };
    let opened = Store::open(&path, &options);
    let failed = recorder.take_failed() > 0;
    recorder.arm(None);
    match opened {
        Ok(opened) => {
            if failed {
                return Err("a creation succeeded over a failure".into());
            }
            recorder.tell(Model::done);
            recorder.point("created");
            opened.store.create(Dtype::Raw, 5, &[1; 5], Some("a")).map_err(text)?;
            recorder.point("changed");
            let points = recorder.take_points();
            opened.store.close().map_err(text)?;
            Ok((false, points))
        }
        Err(e) => {
            if !failed || !matches!(e.code(), Code::Io | Code::NoSpace) {
                return Err(format!("creation: {e}"));
            }
            let mut points = recorder.take_points();
            if in_place {
                // What it left is cut back, outside the seam; a machine crash finds the file as it was or as it is.
                points.retain(|p| p.told[0].now() == 0);
            }
            // The recorder's descriptor shares the lock of the one that failed.
            drop((recorder, options));
            let again = Store::open(&path, &OpenOptions { create: true, ..booted(1) });
            use_it(&again.map_err(|e| format!("after a failed creation: {e}"))?.store)?;
            Ok((true, points))
        }
    }
}

fn use_it(store: &Store) -> Result<(), String> {
    // Of a creation that was cut short one superblock may be there and the other not; the first change writes it.
    store.create(Dtype::Raw, 3, &[7; 3], Some("used")).map_err(text)?;
    no_faults(store, &[], "in a new store")?;
    store.close().map_err(text)
}

fn check(points: &[Point], random: &mut Random, images: &mut u64) -> Result<(), String> {
    let dir = folder();
    let path = dir.path().join("image.fm");
    for point in points.iter().filter(|p| p.linked) {
        let all = point.disk.combinations().min(MOST_COMBINATIONS);
        let torn = (0..16).map(|_| Pick::Mix(random.next()));
        let picks: Vec<Pick> = (0..all).map(Pick::Nth).chain(torn).collect();
        for pick in picks {
            *images += 1;
            let image = point.disk.image(pick);
            image.write(&path).map_err(|e| format!("harness: {e}"))?;
            check_image(&path, point.told[0].now() > 0, random)
                .map_err(|why| format!("{pick:?} at '{}': {why}", point.label))?;
        }
    }
    Ok(())
}

fn check_image(path: &Path, acknowledged: bool, random: &mut Random) -> Result<(), String> {
    if random.one_in(3) {
        // A reader may say that there is nothing yet, and leaves the file alone.
        let before = std::fs::read(path).map_err(|e| format!("harness: {e}"))?;
        match Store::open(path, &OpenOptions { read_only: true, ..booted(2) }) {
            Ok(opened) => opened.store.close().map_err(text)?,
            Err(e) if e.code() == Code::NotAStore && !acknowledged => {}
            Err(e) => return Err(format!("does not open for reading: {e}")),
        }
        if std::fs::read(path).map_err(|e| format!("harness: {e}"))? != before {
            return Err("a reader changed the file".into());
        }
    }
    let options = OpenOptions { create: true, ..booted(2) };
    let opened = Store::open(path, &options).map_err(|e| format!("does not open: {e}"))?;
    if opened.created && acknowledged {
        return Err("a store that was acknowledged is not there".into());
    }
    use_it(&opened.store)?;
    let again = Store::open(path, &booted(3)).map_err(|e| format!("does not open again: {e}"))?;
    if !again.store.has("used").map_err(text)? {
        return Err("what was closed is gone".into());
    }
    Ok(())
}

/// Files that nobody may initialise.
fn foreign(random: &mut Random, images: &mut u64) -> Result<(), String> {
    let dir = folder();
    let path = dir.path().join("foreign");
    for n in [1, 511, 512, 4096, 16_384, 65_536, CREATION_NBYTES - 1, CREATION_NBYTES, CREATION_NBYTES + 1] {
        for _ in 0..40 {
            let mut bytes = vec![0u8; n];
            let at = [random.below(n as u64), random.below(64), 16_384, 65_536 + random.below(64)];
            let at = at[random.below(4) as usize] as usize;
            bytes[at.min(n - 1)] = 1 + random.below(255) as u8;
            std::fs::write(&path, &bytes).map_err(|e| format!("harness: {e}"))?;
            *images += 1;
            let opened = Store::open(&path, &OpenOptions { create: true, ..booted(2) });
            let code = match opened {
                Ok(_) => return Err(format!("a foreign file of {n} bytes was taken over (byte {at})")),
                Err(e) => e.code(),
            };
            let after = std::fs::read(&path).map_err(|e| format!("harness: {e}"))?;
            if after != bytes || !matches!(code, Code::NotAStore | Code::Truncated | Code::Corrupt) {
                return Err(format!(
                    "a foreign file of {n} bytes (byte {at}): {code:?}, changed {}",
                    after != bytes
                ));
            }
        }
    }
    Ok(())
}
