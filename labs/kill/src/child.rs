//! The process that dies: threads that act on one store, each on objects of its own, until they are killed.

use crate::journal::{Act, Journal, Kind};
use crate::rng::{Rng, content};
use rfmalloc_core::{Code, Dtype, Error, Handle, OpenOptions, Result, Store};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// From outside, some microseconds after it said ready.
    Kill,
    /// Threads close and open again all the time; the kill falls some microseconds after a close of the first has begun.
    Close,
    /// `exit`, with the sync that the addon makes there; the kill falls some microseconds after it has begun, or not at all.
    Exit,
    /// By SIGTERM from outside.
    Term,
    /// From outside, some microseconds after it was started: while it creates, opens, recovers.
    Early,
}

pub(crate) const DEATHS: [Death; 5] = [Death::Kill, Death::Close, Death::Exit, Death::Term, Death::Early];

/// A lie that the check must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    /// Acknowledges some acts of this kind without doing them.
    Skips(Kind),
}

/// An object that a thread goes on with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) thread: u64,
    pub(crate) id: u64,
    pub(crate) generation: u64,
    pub(crate) name: u64,
}

/// What the process is told.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) folder: PathBuf,
    pub(crate) boot: u64,
    pub(crate) seed: u64,
    pub(crate) threads: u64,
    pub(crate) death: Death,
    /// Microseconds from the ending's beginning to the kill; `u64::MAX`: no kill.
    pub(crate) micros: u64,
    pub(crate) full: bool,
    pub(crate) sync_ms: u64,
    pub(crate) lie: Lie,
    pub(crate) own: Vec<Own>,
}

/// Objects kept per thread.
const MOST: usize = 24;

pub(crate) fn boot_id(boot: u64) -> [u8; 16] {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&boot.to_le_bytes());
    id
}

pub(crate) fn store_path(folder: &Path) -> PathBuf {
    folder.join("store.fm")
}

pub(crate) fn journal_path(folder: &Path, thread: u64) -> PathBuf {
    folder.join(format!("journal-{thread}"))
}

pub(crate) fn name_text(name: u64) -> Option<String> {
    (name != 0).then(|| format!("n{name}"))
}

pub(crate) fn dtype(code: u64) -> Dtype {
    [Dtype::Logical, Dtype::Integer, Dtype::Numeric, Dtype::Complex, Dtype::Raw][code as usize]
}

impl Job {
    /// As one line for the command line.
    pub(crate) fn encode(&self) -> String {
        let death = DEATHS.iter().position(|d| *d == self.death).unwrap_or(0);
        let lie = match self.lie {
            Lie::None => 0,
            Lie::Skips(Kind::Write) => 1,
            Lie::Skips(Kind::Destroy) => 2,
            Lie::Skips(Kind::Sync) => 3,
            Lie::Skips(Kind::Name) => 4,
            Lie::Skips(k) => unreachable!("no lie about {k:?}"),
        };
        let head = format!(
            "{} {} {} {death} {} {} {} {lie}",
            self.boot,
            self.seed,
            self.threads,
            self.micros,
            u8::from(self.full),
            self.sync_ms
        );
        let own = self.own.iter().map(|o| format!(" {} {} {} {}", o.thread, o.id, o.generation, o.name));
        head + &own.collect::<String>()
    }

    pub(crate) fn decode(folder: PathBuf, text: &str) -> Self {
        let w: Vec<u64> = text.split(' ').map(|w| w.parse().expect("a job")).collect();
        Self {
            folder,
            boot: w[0],
            seed: w[1],
            threads: w[2],
            death: DEATHS[w[3] as usize],
            micros: w[4],
            full: w[5] == 1,
            sync_ms: w[6],
            lie: match w[7] {
                1 => Lie::Skips(Kind::Write),
                2 => Lie::Skips(Kind::Destroy),
                3 => Lie::Skips(Kind::Sync),
                4 => Lie::Skips(Kind::Name),
                _ => Lie::None,
            },
            own: w[8..]
                .chunks_exact(4)
                .map(|c| Own { thread: c[0], id: c[1], generation: c[2], name: c[3] })
                .collect(),
        }
    }

    fn options(&self) -> OpenOptions {
        OpenOptions {
            boot_id: Some(boot_id(self.boot)),
            sync_every: (self.sync_ms > 0).then(|| Duration::from_millis(self.sync_ms)),
            full: self.full,
            ..OpenOptions::default()
        }
    }
}

struct Actor {
    job: Arc<Job>,
    thread: u64,
    rng: Rng,
    journal: Journal,
    store: Store,
    own: Vec<(Own, Handle)>,
    serial: u64,
}

/// Set when the kill of `Death::Close` and `Death::Exit` may come.
static PULLED: AtomicU64 = AtomicU64::new(0);

impl Actor {
    fn new(job: &Arc<Job>, thread: u64) -> Result<Self> {
        let store = Store::open(&store_path(&job.folder), &job.options())?.store;
        let mut own = Vec::new();
        for o in job.own.iter().filter(|o| o.thread == thread) {
            own.push((*o, store.open_id(o.id, o.generation)?));
        }
        Ok(Self {
            job: Arc::clone(job),
            thread,
            rng: Rng::new(job.seed ^ (thread << 48)),
            journal: Journal::create(&journal_path(&job.folder, thread)),
            store,
            own,
            serial: 0,
        })
    }

    fn new_name(&mut self) -> u64 {
        self.serial += 1;
        // Unique over all rounds: seeds differ by 1.
        (self.job.seed << 24) + (self.thread << 20) + self.serial
    }

    fn nbytes(&mut self) -> u64 {
        match self.rng.below(100) {
            0..=2 => 0,
            3..=79 => 1 + self.rng.below(3000),
            80..=97 => 1 + self.rng.below(100_000),
            _ => 1_000_000 + self.rng.below(3_000_000),
        }
    }

    /// Announces, does and acknowledges; `act` may learn its identifiers from `perform`.
    fn tell(&mut self, mut act: Act, perform: impl FnOnce(&mut Self, &mut Act) -> Result<()>) -> Result<()> {
        self.journal.announce(&act);
        let lies = self.job.lie == Lie::Skips(act.kind) && self.rng.below(2) == 0;
        if !lies {
            perform(self, &mut act)?;
        }
        self.journal.acknowledge(&act);
        Ok(())
    }

    fn birth(&mut self, kind: Kind, name: u64) -> Act {
        let dtype_code = self.rng.below(5);
        let width = dtype(dtype_code).width();
        let len = self.nbytes().div_ceil(width);
        Act { name, dtype: dtype_code, len, seed: self.rng.next(), ..Act::new(kind) }
    }

    fn make(&mut self, act: &mut Act) -> Result<()> {
        let (of, bytes) = (dtype(act.dtype), content(act.seed, act.len * dtype(act.dtype).width()));
        let name = name_text(act.name);
        let handle = if act.kind == Kind::Keep {
            let mut handle = self.store.reserve(of, act.len, self.rng.below(2) == 0)?;
            write(&handle, 0, &bytes)?;
            self.store.commit(&mut handle, name.as_deref(), false)?;
            handle
        } else {
            self.store.put(of, act.len, &bytes, name.as_deref(), act.kind == Kind::Replace)?
        };
        act.id = handle.facts().id;
        act.generation = handle.facts().generation;
        let own = Own { thread: self.thread, id: act.id, generation: act.generation, name: act.name };
        self.own.push((own, handle));
        Ok(())
    }

    fn pick(&mut self) -> usize {
        self.rng.below(self.own.len() as u64) as usize
    }

    fn pick_named(&mut self) -> Option<usize> {
        let named: Vec<usize> = (0..self.own.len()).filter(|i| self.own[*i].0.name != 0).collect();
        (!named.is_empty()).then(|| named[self.rng.below(named.len() as u64) as usize])
    }

    fn step(&mut self) -> Result<()> {
        let die = self.rng.below(100);
        if self.own.len() < 3 || (die < 30 && self.own.len() < MOST) {
            let name = if self.rng.below(4) == 0 { 0 } else { self.new_name() };
            let kind = if self.rng.below(3) == 0 { Kind::Keep } else { Kind::Create };
            let act = self.birth(kind, name);
            return self.tell(act, Self::make);
        }
        let i = self.pick();
        let of = self.own[i].0;
        let about = Act { generation: of.generation, id: of.id, ..Act::new(Kind::Sync) };
        match die {
            30..=44 => match self.pick_named() {
                Some(i) => {
                    let old = self.own[i].0;
                    let act = Act { old: old.generation, ..self.birth(Kind::Replace, old.name) };
                    self.tell(act, |me, act| {
                        me.make(act)?;
                        me.own.remove(i);
                        Ok(())
                    })
                }
                None => Ok(()),
            },
            45..=54 => {
                let name = if self.rng.below(4) == 0 { 0 } else { self.new_name() };
                if name == 0 && of.name == 0 {
                    return Ok(());
                }
                self.tell(Act { kind: Kind::Name, name, ..about }, |me, act| {
                    me.store.rename(&mut me.own[i].1, name_text(act.name).as_deref(), false)?;
                    me.own[i].0.name = act.name;
                    Ok(())
                })
            }
            55..=59 => match self.pick_named() {
                Some(j) if i != j => {
                    let old = self.own[j].0;
                    let act = Act { kind: Kind::Steal, name: old.name, old: old.generation, ..about };
                    self.tell(act, |me, act| {
                        me.store.rename(&mut me.own[i].1, name_text(act.name).as_deref(), true)?;
                        me.own[i].0.name = act.name;
                        me.own.remove(j);
                        Ok(())
                    })
                }
                _ => Ok(()),
            },
            60..=75 => {
                let nbytes = self.own[i].1.facts().nbytes;
                if nbytes == 0 {
                    return Ok(());
                }
                let start = self.rng.below(nbytes);
                let len = 1 + self.rng.below((nbytes - start).min(20_000));
                let act = Act { kind: Kind::Write, start, len, seed: self.rng.next(), ..about };
                self.tell(act, |me, act| write(&me.own[i].1, act.start, &content(act.seed, act.len)))
            }
            76..=80 => self.tell(Act::new(Kind::Sync), |me, _| me.store.sync()),
            81..=83 => {
                self.tell(Act { kind: Kind::SyncObject, ..about }, |me, _| me.store.sync_object(&me.own[i].1))
            }
            84 if self.rng.below(4) == 0 => {
                self.tell(Act::new(Kind::Compact), |me, _| match me.store.compact(&mut |_, _| true) {
                    Err(e) if e.code() != Code::Busy => Err(e),
                    _ => Ok(()),
                })
            }
            85 => {
                // A temporary that nobody keeps.
                let handle = self.store.reserve(Dtype::Raw, 1 + die * 1000, true)?;
                write(&handle, 0, &[die as u8; 100])
            }
            _ if self.own.len() > MOST / 2 || die > 92 => {
                let kind = if self.rng.below(3) == 0 { Kind::DestroyAtOnce } else { Kind::Destroy };
                self.tell(Act { kind, ..about }, |me, act| {
                    me.store.destroy(&me.own[i].1, act.kind == Kind::DestroyAtOnce)?;
                    me.own.remove(i);
                    Ok(())
                })
            }
            _ => Ok(()),
        }
    }

    /// Closes this thread's handle and opens another.
    fn close(&mut self, pull: bool) -> Result<()> {
        let own: Vec<Own> = self.own.drain(..).map(|(o, _)| o).collect();
        self.tell(Act::new(Kind::Close), |me, _| {
            if pull {
                PULLED.store(1, Ordering::SeqCst);
            }
            me.store.close()
        })?;
        self.store = Store::open(&store_path(&self.job.folder), &self.job.options())?.store;
        for o in own {
            let handle = self.store.open_id(o.id, o.generation)?;
            self.own.push((o, handle));
        }
        Ok(())
    }

    fn run(&mut self, main: bool) -> Result<()> {
        let every = 1 + self.rng.below(30);
        let closes = 1 + self.rng.below(3);
        let acts = self.rng.below(200);
        let mut closed = 0;
        for n in 1.. {
            self.step()?;
            if self.job.death == Death::Close && n % every == 0 {
                closed += 1;
                self.close(main && closed == closes)?;
            }
            if self.job.death == Death::Exit && main && n > acts {
                PULLED.store(1, Ordering::SeqCst);
                rfmalloc_core::sync_all_stores();
                // Every other lane of the process is still at work.
                std::process::exit(0);
            }
        }
        unreachable!()
    }
}

/// Writes element bytes in place, as a view does.
fn write(handle: &Handle, start: u64, bytes: &[u8]) -> Result<()> {
    let pin = handle.pin(start, bytes.len() as u64)?;
    // SAFETY: the pin keeps the range mapped and where it is; only this thread touches the elements.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pin.ptr(), bytes.len()) }
    Ok(())
}

/// The child's whole life.
pub(crate) fn live(job: Job) -> ! {
    let job = Arc::new(job);
    let gate = Arc::new(Barrier::new(job.threads as usize));
    let ready = Arc::new(Barrier::new(job.threads as usize));
    let run = |job: &Arc<Job>, gate: &Barrier, ready: &Barrier, thread: u64| -> Result<()> {
        let mut actor = Actor::new(job, thread)?;
        gate.wait();
        if thread == 0 {
            if matches!(job.death, Death::Close | Death::Exit) && job.micros != u64::MAX {
                let micros = job.micros;
                std::thread::spawn(move || trigger(micros));
            }
            println!("ready");
        }
        ready.wait();
        actor.run(thread == 0)
    };
    for thread in 1..job.threads {
        let (job, gate, ready) = (Arc::clone(&job), Arc::clone(&gate), Arc::clone(&ready));
        std::thread::spawn(move || fail(run(&job, &gate, &ready, thread), thread));
    }
    fail(run(&job, &gate, &ready, 0), 0)
}

/// An act that fails is a finding.
fn fail(outcome: Result<()>, thread: u64) -> ! {
    let e = outcome.err().unwrap_or_else(|| Error::new(Code::Internal, "a thread ended"));
    eprintln!("thread {thread} met {:?}: {e}", e.code());
    std::process::exit(3)
}

fn trigger(micros: u64) {
    while PULLED.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_micros(20));
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(micros) {
        std::hint::spin_loop();
    }
    // SAFETY: ends this process.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}
