//! Everything up to three acts: each workload of a set of acts, and at each of its last act's events every combination of page versions.

use crate::disk::Pick;
use crate::model::{End, Name};
use crate::recorder::Capture;
use crate::world::World;
use std::collections::HashSet;

/// The acts: on the object that is named "a", except the first two.
const ACTS: [&str; 15] = [
    "create a",
    "create b",
    "rename to b",
    "unname",
    "destroy",
    "destroy at once",
    "write",
    "sync",
    "sync a",
    "sync during replace",
    "reset",
    "close and open",
    "kill",
    "power cut",
    "power cut, kept",
];
/// The first that is no act of the store.
const KILL: usize = 12;
/// Products beyond it are not looked at whole, and reported.
const MOST_COMBINATIONS: u64 = 4096;

/// What was looked at.
#[derive(Debug, Default)]
pub struct Found {
    /// Sequences of acts that mean something.
    pub workloads: u64,
    /// Images, each different from the others of its workload.
    pub images: u64,
    /// Points whose product was cut short.
    pub cut_short: u64,
    /// The first contradiction of each workload that has one.
    pub failures: Vec<String>,
}

/// All workloads of up to `most` acts, from an empty store and from one with a synced object.
pub fn all(most: usize, mut tell: impl FnMut(&Found)) -> Found {
    let mut found = Found::default();
    for prepared in [false, true] {
        for n in 1..=most {
            let mut acts = vec![0; n];
            loop {
                run(prepared, &acts, &mut found);
                tell(&found);
                let Some(at) = acts.iter().rposition(|a| a + 1 < ACTS.len()) else { break };
                acts[at] += 1;
                acts[at + 1..].fill(0);
            }
        }
    }
    found
}

fn run(prepared: bool, acts: &[usize], found: &mut Found) {
    let done = workload(prepared, acts, found);
    match done {
        Ok(false) => {}
        Ok(true) => found.workloads += 1,
        Err(why) => {
            found.workloads += 1;
            let words: Vec<&str> = acts.iter().map(|a| ACTS[*a]).collect();
            found.failures.push(format!(
                "{}{}: {why}",
                if prepared { "with a synced 'a': " } else { "" },
                words.join(", ")
            ));
        }
    }
}

/// False: an act has nothing to act on, or the last one is no act of the store.
fn workload(prepared: bool, acts: &[usize], found: &mut Found) -> Result<bool, String> {
    if acts.last().is_some_and(|a| *a >= KILL) {
        return Ok(false);
    }
    let mut world = World::new(7, 1344 * 1024, Capture::Never, false)?;
    world.nest_one_in(12);
    let a = Name::from("a");
    if prepared {
        world.create_as(Some(&a), 40, true)?;
        world.sync()?;
    }
    let (last, before) = acts.split_last().unwrap_or((&0, &[]));
    for act in before {
        if !world.small_act(*act)? {
            return Ok(false);
        }
    }
    world.note_settled()?;
    let ways = if world.may_keep() { 2 } else { 1 };
    world.rec.capture(Capture::Always);
    if !world.small_act(*last)? {
        return Ok(false);
    }
    world.rec.capture(Capture::Never);
    world.rec.point("at the end");
    let mut seen = HashSet::new();
    for point in world.kept_points() {
        let all = point.disk.combinations();
        found.cut_short += u64::from(all > MOST_COMBINATIONS);
        let ends = |n| [(End::Cut, Pick::Nth(n)), (End::Kept, Pick::Nth(n))].into_iter().take(ways);
        let picks = (0..all.min(MOST_COMBINATIONS)).flat_map(ends);
        for (end, pick) in picks.chain([(End::Kill, Pick::New)]) {
            let key = (point.disk.fingerprint(pick), point.told[0].now(), end as u8);
            if seen.insert(key) {
                found.images += 1;
                world.check_image(&point, end, pick)?;
            }
        }
    }
    Ok(true)
}

impl World {
    /// False: there is nothing to act on.
    fn small_act(&mut self, act: usize) -> Result<bool, String> {
        let (a, b) = (Name::from("a"), Name::from("b"));
        let holder = self.rec.tell(|m| m.holder(&a));
        match (act, holder) {
            (0, _) => self.create_as(Some(&a), 40, true)?,
            (1, _) => self.create_as(Some(&b), 40, true)?,
            (2, Some(r)) => self.rename_as(r, Some(&b), true)?,
            (3, Some(r)) => self.rename_as(r, None, false)?,
            (4, Some(r)) => self.destroy_as(r, false)?,
            (5, Some(r)) => self.destroy_as(r, true)?,
            (6, Some(r)) => self.write_to(r)?,
            (7, _) => self.sync()?,
            (8, Some(r)) => self.harden_as(r)?,
            (9, _) => self.sync_during(|world| world.create_as(Some(&Name::from("a")), 40, true))?,
            (10, _) => self.reset()?,
            (11, _) => self.close_and_open(false)?,
            (KILL, _) => {
                let now = self.rec.now();
                self.rise(&now, End::Kill, Pick::New)?;
            }
            (13 | 14, _) => {
                let now = self.rec.now();
                self.rise(&now, if act == 13 { End::Cut } else { End::Kept }, Pick::Mix(5))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
