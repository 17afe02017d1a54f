//! Every system call of the workload fails, one at a time: for each kind of call, each n, each error it may give.

use crate::child::in_child;
use crate::inject::{self, Board, Call, EVERY, Plan};
use crate::model::After;
use crate::tally::Tally;
use crate::work::{Expect, Start, Work};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// No case takes a tenth of this.
const LIMIT: Duration = Duration::from_secs(10);

/// What runs: where it starts, and calls that fail always (a file system that does not know them).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) start: Start,
    pub(crate) always: Option<Plan>,
    /// Only what depends on the start: opening, and a few changes.
    pub(crate) is_short: bool,
}

pub(crate) fn scenes() -> Vec<Scene> {
    let lacks = |call, errno| Scene {
        start: Start::Nothing,
        always: Some(Plan { call, nth: EVERY, errno }),
        is_short: true,
    };
    let mut all: Vec<Scene> = Start::ALL
        .into_iter()
        .map(|start| Scene { start, always: None, is_short: start != Start::Nothing })
        .collect();
    all.push(lacks(Call::OpenUnnamed, libc::EOPNOTSUPP));
    all.push(lacks(Call::Allocate, libc::EOPNOTSUPP));
    all
}

impl Scene {
    pub(crate) fn name(self) -> String {
        match self.always {
            Some(p) => format!("{}-without-{}", self.start.name(), p.call.name()),
            None => self.start.name().to_owned(),
        }
    }
}

/// Runs the workload once with these failures; what went wrong.
fn run(board: &'static Board, root: &Path, scene: Scene, plans: &[Plan]) -> Vec<String> {
    let dir: PathBuf = root.join("case");
    let _ = fs::remove_dir_all(&dir);
    if let Err(e) = fs::create_dir_all(&dir) {
        return vec![format!("cannot make the folder: {e}")];
    }
    let mut all = plans.to_vec();
    all.extend(scene.always);
    board.reset(&all);
    let expect = Expect {
        failures: plans.len(),
        unnoticed: !plans.is_empty() && plans.iter().all(|p| p.errno == libc::EINTR),
        may_leak_maps: plans.iter().any(|p| p.call == Call::Unmap),
        may_leave_litter: plans.iter().any(|p| p.call == Call::Unlink),
        keeps_failing: false,
        may_lose_pages: false,
        may_exist: plans.iter().any(|p| p.call == Call::Link && p.errno == libc::EEXIST),
    };
    in_child(LIMIT, move || {
        if let Err(e) = inject::install() {
            return vec![e];
        }
        let mut work = Work::new(&dir, expect);
        work.is_short = scene.is_short;
        work.prepare(scene.start);
        let before = (descriptors(), address_space());
        board.arm(true);
        work.everything(scene.start);
        board.arm(false);
        drop(work.store.take());
        let after = (descriptors(), address_space());
        work.during("the end");
        if after.0 > before.0 {
            work.wrong(format!("{} descriptors leaked", after.0 - before.0));
        }
        if !expect.may_leak_maps {
            if after.1 > before.1 + (1 << 32) {
                work.wrong(format!("{} bytes of address space leaked", after.1 - before.1));
            }
            let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
            let place = dir.to_string_lossy().into_owned();
            if let Some(line) = maps.lines().find(|l| l.contains(&place)) {
                work.wrong(format!("a mapping leaked: {line}"));
            }
        }
        if plans_need_error(&work, expect, board) {
            work.wrong("no act told of a failure that cannot be passed over");
        }
        if !work.found.is_empty() {
            let told: Vec<String> = work.errors.iter().take(5).map(ToString::to_string).collect();
            work.found.push(format!("errors told: {told:?}"));
        }
        work.found
    })
}

/// Failures of these calls must be told; others may be passed over (advice, a fallback, another way).
fn plans_need_error(work: &Work, expect: Expect, board: &Board) -> bool {
    expect.failures == 1 && board.must_be_told() && work.errors.is_empty()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn address_space() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 4096
}

pub(crate) struct Campaign {
    pub(crate) board: &'static Board,
    pub(crate) root: PathBuf,
    pub(crate) verbose: bool,
}

impl Campaign {
    /// Whether system calls can be made to fail here; says so where not.
    pub(crate) fn is_possible(tally: &mut Tally) -> bool {
        let wrong = in_child(LIMIT, || inject::install().err().into_iter().collect());
        if let Some(why) = wrong.first() {
            tally.skip("failing system calls", why);
        }
        wrong.is_empty()
    }

    /// How many calls of each kind the workload makes; a workload that fails by itself is a failure.
    pub(crate) fn count(&self, scene: Scene, tally: &mut Tally) -> Vec<(Call, u32)> {
        let wrong = run(self.board, &self.root, scene, &[]);
        tally.case(&format!("calls {}", scene.name()), &wrong);
        Call::ALL
            .into_iter()
            .filter(|c| scene.always.is_none_or(|p| p.call != *c))
            .map(|c| (c, self.board.count(c)))
            .collect()
    }

    pub(crate) fn one(&self, scene: Scene, plans: &[Plan], tally: &mut Tally) {
        let wrong = run(self.board, &self.root, scene, plans);
        let plan: Vec<String> =
            plans.iter().map(|p| format!("{}:{}:{}", p.call.name(), p.nth, p.errno)).collect();
        if self.verbose {
            eprintln!("{} {}", scene.name(), plan.join(" "));
        }
        tally.case(&format!("calls {} {}", scene.name(), plan.join(" ")), &wrong);
    }

    /// Every n of every call; with the first `errnos` of its errors.
    pub(crate) fn singles(&self, errnos: usize, tally: &mut Tally) {
        for scene in scenes() {
            let begun = Instant::now();
            let mut cases = 0u32;
            for (call, n) in self.count(scene, tally) {
                for nth in (0..n).filter(|nth| errnos > 1 || is_tried(*nth, n)) {
                    // With few errors, they take turns over the n.
                    let known = call.errnos();
                    let shown = known.len().min(errnos);
                    for i in 0..shown {
                        let errno =
                            known[(nth as usize * usize::from(shown < known.len()) + i) % known.len()];
                        self.one(scene, &[Plan { call, nth, errno }], tally);
                        cases += 1;
                    }
                }
            }
            println!("  {}: {cases} failures of one call in {:.1?}", scene.name(), begun.elapsed());
        }
    }
}

/// Faults planted in what is judged, one of each kind that the lab must find: if one is not found, no other result is worth anything.
pub(crate) fn planted(board: &'static Board, root: &Path, tally: &mut Tally) {
    type Plant = fn(&mut Work);
    let plants: [(&str, &str, Plant); 8] = [
        ("an acknowledged object that is not there", "is lost", |w| {
            w.model.created(4711, 64, Some("ghost"), true);
        }),
        ("an object that nobody made", "must not be", |w| w.model.destroyed(1, true, true)),
        ("a lost version", "has version", |w| w.model.wrote(1, 7)),
        ("bytes of another", "alien bytes", |w| plant_bytes(w, 0, b"alien")),
        ("bytes of another after a crash", "alien bytes", |w| {
            plant_bytes(w, 0, b"alien");
            w.close();
            w.open(After::Crash);
        }),
        ("older bytes than those a sync covered, after a crash", "alien bytes", |w| {
            w.overwrite("a");
            w.sync();
            plant_bytes(w, 1, &crate::model::bytes(1, 0, 64)[40..45]);
            w.close();
            w.open(After::Crash);
        }),
        ("a signal", "died of signal 6", |_| std::process::abort()),
        ("a panic", "panicked", |_| panic!("planted")),
    ];
    for (what, sign, plant) in plants {
        let dir = root.join("planted");
        let _ = fs::remove_dir_all(&dir);
        let _ = fs::create_dir_all(&dir);
        board.reset(&[]);
        let found = in_child(LIMIT, || {
            std::panic::set_hook(Box::new(|_| {}));
            let mut work = Work::new(&dir, Expect::default());
            work.open(After::Nothing);
            work.put(Some("a"), 64, false);
            work.sync();
            plant(&mut work);
            work.check_now();
            work.found
        });
        let is_found = found.iter().any(|f| f.contains(sign));
        let wrong = if is_found { Vec::new() } else { vec![format!("{what} was not found: {found:?}")] };
        tally.case(&format!("planted: {what}"), &wrong);
    }
}

/// Puts `planted` into the elements of object 1 as they are in the file.
fn plant_bytes(work: &mut Work, version: u32, planted: &[u8]) {
    use std::os::unix::fs::FileExt;
    let file = fs::read(&work.path).unwrap_or_default();
    let mark = crate::model::bytes(1, version, 64);
    let at = file.windows(64).position(|x| x == mark);
    let write =
        |at: usize| fs::File::options().write(true).open(&work.path)?.write_all_at(planted, at as u64 + 40);
    if at.is_none_or(|at| write(at).is_err()) {
        work.wrong("not planted");
    }
}

/// A small generator: a seed repeats a night.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n.max(1)
    }
}

impl Campaign {
    /// Two calls of one run fail, chosen at random, until the time is up.
    pub(crate) fn doubles(&self, seed: u64, limit: Duration, tally: &mut Tally) {
        let begun = Instant::now();
        let mut random = Random(seed | 1);
        let scenes = scenes();
        let mut kinds = Vec::new();
        for scene in &scenes {
            let counts = self.count(*scene, tally);
            kinds.push(counts.into_iter().filter(|(_, n)| *n > 0).collect::<Vec<_>>());
        }
        let mut cases = 0;
        while begun.elapsed() < limit {
            let i = random.below(scenes.len());
            let plans: Vec<Plan> = (0..2)
                .map(|_| {
                    let (call, n) = kinds[i][random.below(kinds[i].len())];
                    let errnos = call.errnos();
                    let nth = random.below(n as usize) as u32;
                    Plan { call, nth, errno: errnos[random.below(errnos.len())] }
                })
                .collect();
            self.one(scenes[i], &plans, tally);
            cases += 1;
        }
        println!("  {cases} pairs of failures (seed {seed}) in {:.1?}", begun.elapsed());
    }
}

/// With one error each, the loops of verify that read record after record are tried at their ends and in samples between.
fn is_tried(nth: u32, n: u32) -> bool {
    nth < 24 || nth + 8 > n || nth.is_multiple_of(40)
}
