//! Counts cases, prints failures with the command that repeats them.

pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Failures are many when one thing is broken; the first ones tell it.
    shown: u64,
}

const MOST_SHOWN: u64 = 60;

impl Tally {
    pub(crate) fn new() -> Self {
        Self { passed: 0, failed: 0, skipped: 0, shown: 0 }
    }

    /// One case: nothing wrong, or all of it. `name` is what the command line takes to repeat it.
    pub(crate) fn case(&mut self, name: &str, wrong: &[String]) {
        if wrong.is_empty() {
            self.passed += 1;
            return;
        }
        self.failed += 1;
        self.shown += 1;
        if self.shown <= MOST_SHOWN {
            println!("FAILED {name}\n  again: cargo run --profile lab -p rfmalloc-lab-disks -- {name}");
            for w in wrong.iter().take(4) {
                println!("    {w}");
            }
        }
    }

    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        self.skipped += 1;
        println!("skipped: {what}: {why}");
    }

    pub(crate) fn finish(&self) -> bool {
        if self.shown > MOST_SHOWN {
            println!("({} more failures not shown)", self.shown - MOST_SHOWN);
        }
        println!("{} skipped", self.skipped);
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }
}
