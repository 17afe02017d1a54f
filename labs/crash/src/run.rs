//! Histories by seed: a store, some dozens of acts, images of the points they pass, and what was found.

use crate::acts::SEGMENT_1;
use crate::disk::Pick;
use crate::lean::Lean;
use crate::model::Name;
use crate::recorder::{Capture, Point};
use crate::world::World;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// One history.
pub struct Run {
    /// Images checked, and of these those inside recoveries.
    pub images: (u64, u64),
    /// Acts.
    pub acts: u64,
    /// The first contradiction.
    pub failure: Option<String>,
    /// What happened, if it was to be written down.
    pub trace: Vec<String>,
}

/// How a history is made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    lean: Lean,
    /// Acts.
    acts: u64,
    /// Slots that are in use from the start, so that the next segment, or the next sector of state words, is near.
    slots: u64,
    /// Whether these are durable.
    synced: bool,
    /// Bytes the file may have.
    limit: u64,
}

impl Plan {
    fn of(seed: u64, lean: Option<Lean>) -> Self {
        let mut random = crate::random::Random(seed ^ 0xC0FF_EE00);
        let by_seed = [
            Lean::General,
            Lean::General,
            Lean::Kills,
            Lean::Names,
            Lean::Syncs,
            Lean::Faults,
            Lean::General,
            Lean::General,
            Lean::Kills,
            Lean::Names,
            Lean::Syncs,
            Lean::Segments,
            Lean::Churn,
            Lean::Twice,
            Lean::Marks,
            Lean::Restarts,
        ];
        let lean = lean.unwrap_or(by_seed[seed as usize % by_seed.len()]);
        let limit = [256, 320, 320, 448, 1344, 65_536][random.below(6) as usize] * 1024;
        let (slots, synced) = match (lean, random.below(3)) {
            // The sector of words that ends with slot 63 tears from the next one.
            (Lean::Churn, _) => (57 + random.below(8), random.one_in(2)),
            (Lean::Segments, 0) => (50 + random.below(20), false),
            (Lean::Segments, _) => (505 + random.below(7), random.one_in(2)),
            _ => (0, true),
        };
        Self {
            lean,
            acts: 12 + random.below(40),
            slots,
            synced,
            limit: if slots > 0 { limit.max(1344 * 1024) } else { limit },
        }
    }
}

/// Runs the history of a seed.
pub fn history(seed: u64, trace: bool) -> Run {
    leaning_history(seed, None, trace)
}

/// [`history`], leaning to one thing.
pub fn leaning_history(seed: u64, lean: Option<Lean>, trace: bool) -> Run {
    let mut run = Run { images: (0, 0), acts: 0, failure: None, trace: Vec::new() };
    let plan = Plan::of(seed, lean);
    let mut world = match World::new(seed, plan.limit, Capture::OneIn(4), trace) {
        Ok(world) => world,
        Err(why) => {
            run.failure = Some(why);
            return run;
        }
    };
    world.lean = plan.lean;
    world.say(|| format!("{plan:?}"));
    // A panic of the store is a contradiction too.
    let done = catch_unwind(AssertUnwindSafe(|| drive(&mut world, plan, &mut run.acts)));
    run.failure = match done {
        Ok(done) => done.err(),
        Err(panic) => Some(format!("panic: {}", panic_text(&*panic))),
    };
    world.say(|| "end".into());
    run.images = world.images();
    run.trace = world.trace.take().unwrap_or_default();
    run
}

/// The words of a panic.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("?")
}

fn drive(world: &mut World, plan: Plan, acts: &mut u64) -> Result<(), String> {
    if plan.slots > 0 {
        prepare(world, plan)?;
    }
    for n in 0..plan.acts {
        *acts += 1;
        world.act()?;
        world.check_points()?;
        if n % 8 == 7 {
            world.audit()?;
            world.check_points()?;
        }
    }
    let now: Point = world.rec.now();
    let (end, pick) = world.choose_end(&now);
    world.check_image(&now, end, pick)?;
    world.audit()?;
    world.close_and_open(true)
}

/// Fills the catalog with small objects.
fn prepare(world: &mut World, plan: Plan) -> Result<(), String> {
    world.rec.capture(Capture::Never);
    // Room for the next segment, and not of zeros.
    world.create_as(Some(&Name::from("room")), SEGMENT_1, false)?;
    let room = world.rec.tell(|m| m.live());
    for _ in 1..plan.slots {
        world.create_as(None, 0, false)?;
    }
    for (r, _) in room {
        world.destroy_as(r, true)?;
    }
    world.fillers = world.rec.tell(|m| m.live()).into_iter().map(|(r, _)| r).collect();
    if plan.synced {
        world.sync()?;
    }
    world.create_as(Some(&Name::from("a")), 40, true)?;
    world.rec.capture(Capture::OneIn(4));
    let now = world.rec.now();
    world.check_image(&now, crate::model::End::Cut, Pick::Mix(plan.slots))
}

/// Totals of many histories.
#[derive(Debug, Default)]
pub struct Totals {
    /// Histories.
    pub runs: u64,
    /// Images.
    pub images: u64,
    /// Of these: inside recoveries.
    pub nested: u64,
    /// Acts.
    pub acts: u64,
    /// Seeds that failed, with the first contradiction of each.
    pub failures: Vec<(u64, String)>,
}

/// Runs histories from `seed` on until so many images were checked; stops after `most_failures`.
pub fn histories(count: u64, seed: u64, threads: u64, most_failures: usize) -> Totals {
    let next = AtomicU64::new(seed);
    let totals = Mutex::new(Totals::default());
    let lock = || totals.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    {
                        let t = lock();
                        if t.images >= count || t.failures.len() >= most_failures {
                            return;
                        }
                    }
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let run = history(seed, false);
                    let mut t = lock();
                    t.runs += 1;
                    t.images += run.images.0;
                    t.nested += run.images.1;
                    t.acts += run.acts;
                    if let Some(why) = run.failure {
                        t.failures.push((seed, why));
                    }
                }
            });
        }
    });
    totals.into_inner().unwrap_or_else(PoisonError::into_inner)
}
