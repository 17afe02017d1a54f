//! The store's threads under shuttle: one scheduler decides who goes on at every lock, wait, notification and atomic of the real code, over
//! real files. Build with `RUSTFLAGS="--cfg rfmalloc_shuttle"`.
//!
//! `shuttle [SCENARIO|all] [ROUNDS] [SEED]`. Each scenario runs ROUNDS orders: half uniformly random, half by PCT, which bounds the number
//! of surprises and so finds rare orders sooner. A failure prints the command that repeats it. What shuttle cannot show: the order in
//! which weakly ordered stores become visible (Miri and the sanitizers look for that), and timeouts, which never fire here.

#[cfg(rfmalloc_shuttle)]
mod scenarios;
#[cfg(rfmalloc_shuttle)]
mod world;

#[cfg(not(rfmalloc_shuttle))]
fn main() {
    eprintln!("built without --cfg rfmalloc_shuttle: there is nothing to run");
    std::process::exit(2);
}

#[cfg(rfmalloc_shuttle)]
fn main() {
    use shuttle::scheduler::{PctScheduler, RandomScheduler};
    use shuttle::{Config, Runner};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Instant;

    /// Orders per seed: PCT learns the length of a run from the ones before it.
    const BATCH: usize = 50;
    /// How many times PCT takes the processor away at the worst moment.
    const SURPRISES: usize = 4;

    let args: Vec<String> = std::env::args().collect();
    let wanted = args.get(1).map_or("all", String::as_str);
    let rounds: usize = args.get(2).map_or(400, |n| n.parse().expect("ROUNDS"));
    let first_seed: u64 = args.get(3).map_or(1, |n| n.parse().expect("SEED"));
    let (mut passed, mut failed) = (0, 0);
    for (name, scenario) in scenarios::ALL {
        if wanted != "all" && wanted != *name {
            continue;
        }
        let begun = Instant::now();
        let mut config = Config::new();
        config.stack_size = 1 << 19;
        config.silence_warnings = true;
        config.max_steps = shuttle::MaxSteps::FailAfter(200_000);
        let mut broken = None;
        for batch in 0..rounds.div_ceil(BATCH) {
            let seed = first_seed + batch as u64;
            let run = || {
                if batch % 2 == 0 {
                    Runner::new(RandomScheduler::new_from_seed(seed, BATCH), config.clone()).run(scenario)
                } else {
                    Runner::new(PctScheduler::new_from_seed(seed, SURPRISES, BATCH), config.clone())
                        .run(scenario)
                }
            };
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                broken = Some(seed);
                break;
            }
        }
        let time = begun.elapsed().as_secs_f32();
        if let Some(seed) = broken {
            failed += 1;
            // An odd batch was PCT's: the seed before it comes first, so that it is so again.
            let even = seed - (seed - first_seed) % 2;
            println!("FAILED {name}: repeat with `shuttle {name} {} {even}`", 2 * BATCH);
        } else {
            passed += 1;
            println!("ok {name}: {} orders, {time:.1} s", rounds.div_ceil(BATCH) * BATCH);
        }
    }
    world::clean();
    println!("{passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0 || passed == 0));
}
