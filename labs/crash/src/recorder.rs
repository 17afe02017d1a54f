//! The observer: it keeps the [`Disk`] in step with the seam, sets down points at which to stop, fails events when told to, and holds a
//! sync open so that other work falls into it.
//!
//! It reads only the pages an event names. That nothing was stored past the seam is made sure of by comparing the whole file at
//! intervals ([`Recorder::compare`]).

use crate::disk::{Disk, SECTOR, Started};
use crate::model::Model;
use crate::random::Random;
use rfmalloc_core::{Event, Observer};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

/// A moment at which the process or the machine may stop.
#[derive(Clone)]
pub struct Point<B = Vec<Model>> {
    /// The disk as it might be.
    pub disk: Disk,
    /// What had been promised by then.
    pub told: B,
    /// The event at which it was set down.
    pub label: String,
    /// A failed barrier lies in this act and the mark may not have been stored yet: what a process death leaves just then is not known
    /// to the next process, so only the machine stops here.
    pub cut_only: bool,
    /// Whether the name is there: only of interest while a file is being made.
    pub linked: bool,
}

/// Which events may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ranged barriers.
    Barrier,
    /// Whole-file syncs.
    SyncAll,
    /// Growth.
    Length,
    /// Stores through the descriptor of a file in the making.
    Store,
    /// The link of a new file, or the sync of its folder.
    Link,
}

fn kind_of(event: Event) -> Option<Kind> {
    Some(match event {
        Event::Barrier { .. } => Kind::Barrier,
        Event::SyncAll => Kind::SyncAll,
        Event::Length { .. } => Kind::Length,
        Event::Store { .. } => Kind::Store,
        Event::Link | Event::SyncFolder => Kind::Link,
        _ => return None,
    })
}

/// An armed failure.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Of this kind.
    pub kind: Kind,
    /// The n-th from now on (0: the next).
    pub after: u64,
    /// So many in a row; of barriers and syncs, of either kind.
    pub burst: u64,
    /// The error.
    pub errno: i32,
}

/// How often points are set down.
#[derive(Clone, Copy, Debug)]
pub enum Capture {
    /// Not at all.
    Never,
    /// At one of so many events.
    OneIn(u64),
    /// Before every barrier.
    Barriers,
    /// At every event.
    Always,
}

/// Bytes of the header.
const HEADER: u64 = 64 * 1024;
/// Work that waits for the very sync that is held open (a full disk does) must not wait for ever.
const HELD_AT_MOST: Duration = Duration::from_secs(1);

struct Gate {
    reached: Sender<()>,
    go: Receiver<()>,
    /// Held at the barrier of this offset; `None`: at the next whole-file sync.
    off: Option<u64>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one life, each documented or named"
)]
struct State<B> {
    file: Option<File>,
    disk: Option<Disk>,
    started: Vec<(ThreadId, Started)>,
    points: Vec<Point<B>>,
    capture: Capture,
    random: Random,
    fault: Option<Fault>,
    failed: u64,
    /// A barrier or sync has failed in this life.
    barrier_failed: bool,
    /// Threads whose barrier that was, or of which one has ended since.
    touched: Vec<ThreadId>,
    events: u64,
    header_written: bool,
    linked: bool,
    broken: Option<String>,
    trace: Option<Vec<String>>,
    /// The whole file is looked at, at each event.
    watches_all: bool,
    /// Ranges stored to in a pause, not looked at yet.
    missed: Option<Vec<(u64, u64)>>,
}

/// See the module. `B`: how promises are kept; here one model for each thread that works on the store.
pub struct Recorder<B = Vec<Model>> {
    /// Locked before the state, never while the store is called.
    book: Mutex<B>,
    state: Mutex<State<B>>,
    gate: Mutex<Option<Gate>>,
    /// Who writes a copy, and who watches that.
    aside: Mutex<Option<(ThreadId, Arc<Recorder<B>>)>>,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// The promises, one model for each thread.
    pub fn models(&self) -> MutexGuard<'_, Vec<Model>> {
        self.book()
    }

    /// Changes the only model.
    pub fn tell<T>(&self, f: impl FnOnce(&mut Model) -> T) -> T {
        f(&mut self.models()[0])
    }
}

impl<B: Clone + Send> Recorder<B> {
    /// Watches the file that is opened next. `disk`: what is known of it; `None`: all of it is durable.
    pub fn new(disk: Option<Disk>, book: B, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            book: Mutex::new(book),
            state: Mutex::new(State {
                file: None,
                disk,
                started: Vec::new(),
                points: Vec::new(),
                capture: Capture::Never,
                random: Random(seed),
                fault: None,
                failed: 0,
                barrier_failed: false,
                touched: Vec::new(),
                events: 0,
                header_written: false,
                linked: true,
                broken: None,
                trace: None,
                watches_all: false,
                missed: None,
            }),
            gate: Mutex::new(None),
            aside: Mutex::new(None),
        })
    }

    /// The promises.
    pub fn book(&self) -> MutexGuard<'_, B> {
        lock(&self.book)
    }

    /// How often points are set down from now on.
    pub fn capture(&self, capture: Capture) {
        lock(&self.state).capture = capture;
    }

    /// For work whose writes in place nobody announces: the whole file is looked at, at each event.
    pub fn watch_all(&self) {
        lock(&self.state).watches_all = true;
    }

    /// Between the two, of what is stored between two barriers only the last version is kept, and no points: for long preparations.
    pub fn pause(&self, paused: bool) {
        let mut s = lock(&self.state);
        s.catch_up();
        s.missed = paused.then(Vec::new);
    }

    /// Writes down events.
    pub fn trace(&self) {
        lock(&self.state).trace = Some(Vec::new());
    }

    /// The events since the last call.
    pub fn take_trace(&self) -> Vec<String> {
        lock(&self.state).trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The file is being made and has no name yet.
    pub fn unlinked(&self) {
        lock(&self.state).linked = false;
    }

    /// Lets events fail; `None`: no more.
    pub fn arm(&self, fault: Option<Fault>) {
        let mut s = lock(&self.state);
        s.fault = fault;
    }

    /// How many events failed since the last call.
    pub fn take_failed(&self) -> u64 {
        std::mem::take(&mut lock(&self.state).failed)
    }

    /// Whether a barrier of the calling thread has failed in this life, or has ended since one failed: its act could rely on the failed one.
    pub fn is_touched_by_failure(&self) -> bool {
        lock(&self.state).touched.contains(&std::thread::current().id())
    }

    /// Whether a superblock was written in this life.
    pub fn has_written_header(&self) -> bool {
        lock(&self.state).header_written
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        lock(&self.state).events
    }

    /// Holds the next whole-file sync (or the barrier at this offset) open: it tells `reached`, then waits for `go`.
    pub fn hold(&self, reached: Sender<()>, go: Receiver<()>, off: Option<u64>) {
        *lock(&self.gate) = Some(Gate { reached, go, off });
    }

    /// The calling thread's events are another file's from now on: a copy that it writes, watched by this recorder. `None`: no more.
    pub fn aside(&self, recorder: Option<Arc<Self>>) {
        *lock(&self.aside) = recorder.map(|r| (std::thread::current().id(), r));
    }

    fn other(&self) -> Option<Arc<Self>> {
        let aside = lock(&self.aside);
        aside.as_ref().filter(|(t, _)| *t == std::thread::current().id()).map(|(_, r)| Arc::clone(r))
    }

    /// No event is held any more.
    pub fn release(&self) {
        lock(&self.gate).take();
    }

    /// Bytes were written in place.
    pub fn wrote(&self, off: u64, nbytes: u64) {
        self.after(Event::Announce { off, nbytes });
    }

    /// Sets down a point.
    pub fn point(&self, label: &str) {
        let book = self.book();
        let mut s = lock(&self.state);
        s.set_point(&book, label);
    }

    /// The points since the last call.
    pub fn take_points(&self) -> Vec<Point<B>> {
        std::mem::take(&mut lock(&self.state).points)
    }

    /// The moment now.
    ///
    /// # Panics
    /// Before the file was opened.
    pub fn now(&self) -> Point<B> {
        let book = self.book();
        let mut s = lock(&self.state);
        s.catch_up();
        let before = std::mem::take(&mut s.points);
        s.set_point(&book, "now");
        let point = std::mem::replace(&mut s.points, before).pop();
        point.expect("a file was opened")
    }

    /// An error of the harness: something was stored without the seam, or the file could not be read.
    ///
    /// # Errors
    /// The words.
    pub fn compare(&self) -> Result<(), String> {
        let s = lock(&self.state);
        if let Some(why) = &s.broken {
            return Err(format!("harness: {why}"));
        }
        match (&s.disk, &s.file) {
            (Some(disk), Some(file)) => disk.compare(file).map_err(|e| format!("harness: {e}"))?,
            _ => Ok(()),
        }
    }
}

impl<B: Clone> State<B> {
    fn set_point(&mut self, book: &B, label: &str) {
        self.catch_up();
        if let Some(disk) = &self.disk {
            self.points.push(Point {
                disk: disk.clone(),
                told: book.clone(),
                label: label.to_owned(),
                cut_only: self.failed > 0,
                linked: self.linked,
            });
        }
    }

    fn maybe_point(&mut self, book: &B, when: &str, event: Event) {
        let wanted = match self.capture {
            _ if self.missed.is_some() => false,
            Capture::Never => false,
            Capture::Always => true,
            Capture::Barriers => when == "before" && event != Event::Link,
            Capture::OneIn(n) => self.random.one_in(n),
        };
        if wanted {
            self.set_point(book, &format!("{when} {event:?}"));
        }
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{when} {event:?}"));
        }
    }

    /// Looks at what was stored in a pause.
    fn catch_up(&mut self) {
        if let (Some(disk), Some(file), Some(missed)) = (&mut self.disk, &self.file, &mut self.missed) {
            for (off, nbytes) in missed.drain(..) {
                if let Err(e) = disk.stored(file, off, nbytes) {
                    self.broken = Some(e.to_string());
                }
            }
        }
        if let (Some(disk), Some(file), true) = (&mut self.disk, &self.file, self.watches_all)
            && let Err(e) = disk.looked_at(file)
        {
            self.broken = Some(e.to_string());
        }
    }

    fn fails(&mut self, event: Event) -> Option<io::Error> {
        let kind = kind_of(event)?;
        let is_barrier = |k| matches!(k, Kind::Barrier | Kind::SyncAll);
        let f = self.fault.as_mut()?;
        let hit = f.kind == kind || (f.after == 0 && is_barrier(f.kind) && is_barrier(kind));
        if !hit {
            return None;
        }
        if f.after > 0 {
            f.after -= 1;
            return None;
        }
        let errno = f.errno;
        f.burst -= 1;
        if f.burst == 0 {
            self.fault = None;
        }
        self.failed += 1;
        if is_barrier(kind) {
            self.barrier_failed = true;
            self.touched.push(std::thread::current().id());
        }
        if let Some(trace) = &mut self.trace {
            trace.push(format!("FAILS {event:?}"));
        }
        Some(io::Error::from_raw_os_error(errno))
    }

    fn try_after(&mut self, event: Event) -> io::Result<()> {
        if self.barrier_failed && matches!(event, Event::Barrier { .. } | Event::SyncAll) {
            self.touched.push(std::thread::current().id());
        }
        let (Some(disk), Some(file)) = (&mut self.disk, &self.file) else { return Ok(()) };
        if let (Event::Store { off, nbytes } | Event::Announce { off, nbytes }, Some(missed)) =
            (event, &mut self.missed)
        {
            missed.push((off, nbytes));
            return Ok(());
        }
        match event {
            Event::Store { off, nbytes } | Event::Announce { off, nbytes } => {
                self.header_written |= off < HEADER && nbytes == SECTOR as u64;
                disk.stored(file, off, nbytes)?;
            }
            Event::Length { nbytes } => disk.resized(nbytes),
            Event::Barrier { .. } | Event::SyncAll => {
                let me = std::thread::current().id();
                if let Some(at) = self.started.iter().rposition(|(t, _)| *t == me) {
                    let (_, started) = self.started.remove(at);
                    disk.barrier_ends(&started);
                }
            }
            Event::Link => self.linked = true,
            _ => {}
        }
        Ok(())
    }
}

impl<B: Clone + Send> Observer for Recorder<B> {
    fn opened(&self, file: &File) {
        if let Some(other) = self.other() {
            return other.opened(file);
        }
        let mut s = lock(&self.state);
        let known = file.try_clone().and_then(|f| {
            if s.disk.is_none() {
                s.disk = Some(Disk::of(&f)?);
            }
            s.file = Some(f);
            Ok(())
        });
        if let Err(e) = known {
            s.broken = Some(e.to_string());
        }
    }

    fn before(&self, event: Event) -> io::Result<()> {
        if let Some(other) = self.other() {
            return other.before(event);
        }
        let range = match event {
            Event::Barrier { off, nbytes } => Some(off..off + nbytes),
            Event::SyncAll => Some(0..u64::MAX / 2),
            _ => None,
        };
        {
            let book = self.book();
            let mut s = lock(&self.state);
            s.events += 1;
            if range.is_some() || event == Event::Link {
                s.maybe_point(&book, "before", event);
            }
            let failed = s.fails(event);
            if range.is_some() {
                s.catch_up();
            }
            let State { disk, file, started, random, .. } = &mut *s;
            let (Some(disk), Some(file)) = (disk, file) else { return Ok(()) };
            if let Some(range) = range {
                let now = disk.barrier_starts(range);
                if failed.is_some() {
                    disk.barrier_fails(&now);
                } else {
                    started.push((std::thread::current().id(), now));
                }
            }
            if let Event::Forget { off } = event {
                for (off, page) in disk.forget(off, random) {
                    file.write_all_at(&page[..], off)?;
                }
            }
            if let Some(e) = failed {
                return Err(e);
            }
        }
        let off = if let Event::Barrier { off, .. } = event { Some(off) } else { None };
        if event == Event::SyncAll || off.is_some() {
            let mut gate = lock(&self.gate);
            if gate.as_ref().is_some_and(|g| g.off == off)
                && let Some(g) = gate.take()
            {
                drop(gate);
                // A closed channel means that nobody waits any more.
                let _ = g.reached.send(());
                let _ = g.go.recv_timeout(HELD_AT_MOST);
            }
        }
        Ok(())
    }

    fn after(&self, event: Event) {
        if let Some(other) = self.other() {
            return other.after(event);
        }
        let book = self.book();
        let mut s = lock(&self.state);
        if s.missed.is_none() {
            s.catch_up();
        }
        if let Err(e) = s.try_after(event) {
            s.broken = Some(e.to_string());
        }
        s.maybe_point(&book, "after", event);
    }
}
