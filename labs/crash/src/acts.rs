//! What is done to a store: each act is announced, run, and acknowledged when it returns.

use crate::disk::Pick;
use crate::look::{read, text, write};
use crate::model::{End, Is, Model, Name, Ref};
use crate::recorder::{Capture, Fault, Kind, Point};
use crate::world::{Held, Hold, World};
use rfmalloc_core::{Code, Dtype};
use std::sync::{Arc, mpsc};

/// What a history does more of than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lean {
    /// Nothing.
    General,
    /// The catalog's first segment is nearly full.
    Segments,
    /// Processes die.
    Kills,
    /// Barriers fail.
    Faults,
    /// Two names, many namings.
    Names,
    /// Work falls into syncs.
    Syncs,
}

impl Lean {
    /// Simple, sync, sync during work, harden, the same during work, close, kill, power cut, arm, fill, fork, compact, copy.
    fn acts(self) -> [u32; 13] {
        match self {
            Self::General | Self::Segments => [60, 7, 5, 6, 3, 3, 3, 3, 3, 1, 3, 4, 1],
            Self::Kills => [40, 7, 3, 7, 2, 2, 22, 6, 1, 0, 2, 1, 0],
            Self::Faults => [40, 8, 4, 6, 2, 6, 4, 2, 24, 1, 1, 3, 1],
            Self::Names => [50, 4, 3, 12, 4, 2, 5, 8, 1, 0, 4, 1, 0],
            Self::Syncs => [40, 4, 22, 6, 8, 2, 4, 4, 2, 0, 2, 2, 0],
        }
    }

    /// Create, keep, reserve, write, rename, unname, destroy, hold, let go, seal.
    fn simple_acts(self) -> [u32; 10] {
        match self {
            Self::Names => [20, 3, 1, 2, 30, 8, 6, 1, 1, 2],
            Self::Kills => [20, 4, 2, 4, 12, 4, 20, 2, 2, 3],
            _ => [20, 6, 3, 9, 10, 3, 10, 4, 3, 3],
        }
    }
}

type Outcome = Result<(), String>;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Bytes of the second catalog segment: an object of that size leaves room for it.
pub(crate) const SEGMENT_1: usize = 192 * 1024;
const SIZES: [usize; 12] = [0, 8, 40, 40, 100, 500, 1500, 4000, 4096, 9000, 17_000, 40_000];
/// Beyond it, something is destroyed first.
const MOST_OBJECTS: usize = 14;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

impl World {
    /// One act, as its weight says.
    ///
    /// # Errors
    /// Something contradicts the promises.
    pub fn act(&mut self) -> Outcome {
        if self.poisoned {
            return match self.random.below(5) {
                0 | 1 => self.close_and_open_sometimes(),
                2 => self.kill(),
                3 => self.cut(),
                _ => self.poisoned_act(),
            };
        }
        if self.rec.tell(|m| m.live().len()) > self.fillers.len() + MOST_OBJECTS {
            return self.destroy();
        }
        match self.random.weighted(&self.lean.acts()) {
            0 => self.simple_act(),
            1 => self.sync(),
            2 => self.sync_during_work(),
            3 => self.harden(),
            4 => self.harden_during_work(),
            5 => self.close_and_open_sometimes(),
            6 => self.kill(),
            7 => self.cut(),
            8 => {
                self.arm();
                Ok(())
            }
            9 => self.fill(),
            10 => self.fork_or_return(),
            11 => self.compact(),
            _ => self.copy(),
        }
    }

    /// One act that needs nobody else.
    fn simple_act(&mut self) -> Outcome {
        match self.random.weighted(&self.lean.simple_acts()) {
            0 => self.create(),
            1 => self.keep(),
            2 => self.reserve(),
            3 => self.write_in_place(),
            4 => self.rename(),
            5 => self.unname(),
            6 => self.destroy(),
            7 => self.hold(),
            8 => self.let_one_go(),
            _ => self.seal(),
        }
    }

    fn some_name(&mut self) -> Name {
        let names = if self.lean == Lean::Names { 2 } else { NAMES.len() };
        Name::from(NAMES[self.random.below(names as u64) as usize])
    }

    fn some_size(&mut self) -> usize {
        match self.random.below(30) {
            0 => 70_000,
            1 => 140_000,
            2 if self.lean == Lean::Segments => SEGMENT_1,
            _ => SIZES[self.random.below(SIZES.len() as u64) as usize],
        }
    }

    fn some_object(&mut self) -> Option<(Ref, Option<Name>)> {
        let live: Vec<_> = self.rec.tell(|m| m.live());
        // Those that fill a prepared store are mostly left alone.
        let own: Vec<_> = live.iter().filter(|(r, _)| !self.fillers.contains(r)).cloned().collect();
        let from = if own.is_empty() || self.random.one_in(40) { &live } else { &own };
        self.random.choose(from).cloned()
    }

    fn create(&mut self) -> Outcome {
        let name = (!self.random.one_in(4)).then(|| self.some_name());
        let n = self.some_size();
        let replace = self.random.one_in(2);
        self.create_as(name.as_ref(), n, replace)
    }

    /// A new object; with `replace` in the place of whoever has the name.
    ///
    /// # Errors
    /// As [`World::act`].
    pub fn create_as(&mut self, name: Option<&Name>, n: usize, replace: bool) -> Outcome {
        let bytes = self.fresh_bytes(n);
        let holder = name.and_then(|n| self.rec.tell(|m| m.holder(n)));
        self.say(|| format!("create {name:?}, {n} bytes, replace {replace} ({holder:?})"));
        let refused = holder.is_some() && !replace;
        let unsettled = self.rec.tell(|m| {
            let unsettled = m.will_settle();
            if !refused {
                m.will_create(name, bytes.as_slice().into(), holder);
            }
            unsettled
        });
        let made = self.store().put(Dtype::Raw, n as u64, &bytes, name.map(AsRef::as_ref), replace);
        if refused && made.is_ok() {
            return Err(format!("{name:?} was given twice"));
        }
        let tolerated =
            if refused { &[Code::Exists, Code::NoSpace][..] } else { &[Code::NoSpace, Code::Busy] };
        let made = self.outcome("create", made, tolerated, unsettled, |m, h| {
            m.born((h.facts().id, h.facts().generation), h.facts().off)
        })?;
        if let Some(h) = made {
            self.acted((h.facts().id, h.facts().generation), holder);
            return if name.is_some() { self.every_name_once() } else { Ok(()) };
        }
        Ok(())
    }

    /// A temporary becomes an object.
    fn keep(&mut self) -> Outcome {
        let Some((mut handle, bytes)) = self.temporaries.pop() else { return self.reserve() };
        let name = self.random.one_in(2).then(|| self.some_name());
        let holder = name.as_ref().and_then(|n| self.rec.tell(|m| m.holder(n)));
        self.say(|| format!("keep as {name:?} ({holder:?})"));
        let unsettled = self.rec.tell(|m| {
            let unsettled = m.will_settle();
            m.will_create(name.as_ref(), bytes.clone(), holder);
            unsettled
        });
        let done = self.store().commit(&mut handle, name.as_deref(), true);
        let facts = handle.facts();
        let r = (facts.id, facts.generation);
        let tolerated = [Code::NoSpace, Code::Busy];
        if self.outcome("keep", done, &tolerated, unsettled, |m, ()| m.born(r, facts.off))?.is_some() {
            self.acted(r, holder);
        }
        Ok(())
    }

    /// A temporary, filled.
    fn reserve(&mut self) -> Outcome {
        if self.temporaries.len() > 3 {
            self.temporaries.remove(0);
        }
        let n = self.some_size();
        let zeroed = self.random.one_in(3);
        self.say(|| format!("reserve {n} bytes, zeroed {zeroed}"));
        let unsettled = self.rec.tell(Model::will_settle);
        let made = self.store().reserve(Dtype::Raw, n as u64, zeroed);
        let Some(handle) = self.outcome("reserve", made, &[Code::NoSpace], unsettled, |_, _| Ok(()))? else {
            return Ok(());
        };
        if zeroed && read(&handle)?.iter().any(|b| *b != 0) {
            return Err("a zeroed temporary shows old bytes".into());
        }
        if n == 0 {
            return Ok(());
        }
        let bytes = self.fresh_bytes(n);
        write(&handle, 0, &bytes).map_err(text)?;
        self.rec.wrote(handle.facts().off, n as u64);
        self.temporaries.push((handle, bytes.into()));
        Ok(())
    }

    fn write_in_place(&mut self) -> Outcome {
        let Some((r, _)) = self.some_object() else { return self.create() };
        self.write_to(r)
    }

    /// Some object's elements become immutable.
    fn seal(&mut self) -> Outcome {
        let Some((r, _)) = self.some_object() else { return self.create() };
        self.say(|| format!("seal {r:?}"));
        let unsettled = self.rec.tell(|m| {
            let unsettled = m.will_settle();
            m.will_seal(r);
            unsettled
        });
        let store = self.store();
        let mut handle = store.open_id(r.0, r.1).map_err(text)?;
        let done = store.seal(&mut handle);
        drop(handle);
        let mut tolerated = vec![Code::Busy, Code::NoSpace];
        if unsettled {
            tolerated.push(Code::Destroyed);
        }
        if self.outcome("seal", done, &tolerated, unsettled, |_, ()| Ok(()))?.is_some() {
            self.acted(r, None);
        }
        Ok(())
    }

    /// Some elements are written through a view.
    ///
    /// # Errors
    /// As [`World::act`].
    pub fn write_to(&mut self, r: Ref) -> Outcome {
        let Some(old) = self.rec.tell(|m| m.bytes(r)).filter(|b| !b.is_empty()) else { return Ok(()) };
        if self.rec.tell(|m| m.is_sealed(r)) {
            return Ok(());
        }
        let start = self.random.below(old.len() as u64) as usize;
        let n = 1 + self.random.below((old.len() - start) as u64) as usize;
        self.say(|| format!("write {n} bytes at {start} of {r:?}"));
        let part = self.fresh_bytes(n);
        let mut new = old.to_vec();
        new[start..start + n].copy_from_slice(&part);
        self.rec.tell(|m| m.will_write(r, new.as_slice().into()));
        let handle = self.store().open_id(r.0, r.1).map_err(text)?;
        write(&handle, start as u64, &part).map_err(text)?;
        self.rec.wrote(handle.facts().off + start as u64, n as u64);
        for h in self.held.iter_mut().filter(|h| h.r == r) {
            h.bytes = new.as_slice().into();
        }
        self.rec.tell(Model::done);
        Ok(())
    }

    fn rename(&mut self) -> Outcome {
        let Some((r, _)) = self.some_object() else { return self.create() };
        let name = self.some_name();
        let replace = self.random.one_in(2);
        self.rename_as(r, Some(&name), replace)
    }

    fn unname(&mut self) -> Outcome {
        let Some((r, _)) = self.some_object() else { return self.create() };
        self.rename_as(r, None, false)
    }

    /// Gives the object this name, with `replace` whoever has it; or takes its own.
    ///
    /// # Errors
    /// As [`World::act`].
    pub fn rename_as(&mut self, r: Ref, name: Option<&Name>, replace: bool) -> Outcome {
        let holder = name.and_then(|n| self.rec.tell(|m| m.holder(n)));
        self.say(|| format!("rename {r:?} to {name:?}, replace {replace} ({holder:?})"));
        let taken = holder.filter(|h| *h != r);
        let refused = taken.is_some() && !replace;
        let store = self.store();
        let mut handle = store.open_id(r.0, r.1).map_err(text)?;
        let unsettled = self.rec.tell(|m| {
            let unsettled = m.will_settle();
            if !refused && (holder.is_none() || taken.is_some()) {
                m.will_rename(r, name, taken);
            }
            unsettled
        });
        let done = store.rename(&mut handle, name.map(AsRef::as_ref), replace);
        if refused && done.is_ok() {
            return Err(format!("{name:?} was given twice"));
        }
        // The object itself may have been settled away.
        let mut tolerated = vec![Code::NoSpace, Code::Busy];
        if refused {
            tolerated.push(Code::Exists);
        }
        if unsettled {
            tolerated.push(Code::Destroyed);
        }
        drop(handle);
        let done = self.outcome("rename", done, &tolerated, unsettled, |_, ()| Ok(()))?;
        if done.is_some() {
            if holder != Some(r) {
                self.acted(r, taken);
            }
            return self.every_name_once();
        }
        Ok(())
    }

    fn destroy(&mut self) -> Outcome {
        let Some((r, _)) = self.some_object() else { return self.create() };
        let at_once = self.random.one_in(3);
        self.destroy_as(r, at_once)
    }

    /// Ends the object.
    ///
    /// # Errors
    /// As [`World::act`].
    pub fn destroy_as(&mut self, r: Ref, at_once: bool) -> Outcome {
        let is_durable = at_once || self.full;
        self.say(|| format!("destroy {r:?}, at once {at_once}"));
        let unsettled = self.rec.tell(|m| {
            let unsettled = m.will_settle();
            if is_durable {
                m.will_bury(r);
            } else {
                m.will_be(r, Is::Absent);
            }
            unsettled
        });
        let store = self.store();
        let handle = store.open_id(r.0, r.1).map_err(text)?;
        let done = store.destroy(&handle, at_once);
        drop(handle);
        let done = self.outcome("destroy", done, &[Code::Busy], unsettled, |_, _| Ok(()))?;
        if done.is_some() && is_durable {
            self.rec.tell(|m| m.buried(r));
        }
        Ok(())
    }

    /// Rule 15: a named change has settled every name that stood twice.
    fn every_name_once(&self) -> Outcome {
        if self.rec.tell(|m| m.is_unsettled()) {
            return Err("a name stands twice after a named change".into());
        }
        Ok(())
    }

    /// Somebody holds an object: a pin, or another thread's handle.
    fn hold(&mut self) -> Outcome {
        let Some((r, _)) = self.some_object() else { return Ok(()) };
        // The memory under a sealed object's buffer is the buffer's own.
        if self.rec.tell(|m| m.is_sealed(r)) || self.held.len() > 4 {
            return self.let_one_go();
        }
        self.say(|| format!("hold {r:?}"));
        let store = self.store();
        let by_thread = self.random.one_in(2);
        let open = move || store.open_id(r.0, r.1);
        let opened = if by_thread { std::thread::spawn(open).join() } else { Ok(open()) };
        let handle = opened.map_err(|_| "a thread panicked")?.map_err(text)?;
        let pin = handle.pin(0, handle.facts().nbytes).map_err(text)?;
        let at = pin.ptr().cast_const();
        let hold = if by_thread { Hold::Handle { _handle: handle } } else { Hold::Pin { _pin: pin } };
        let bytes = self.rec.tell(|m| m.bytes(r)).unwrap_or_else(|| Arc::from([]));
        self.held.push(Held { r, _hold: hold, at, bytes });
        Ok(())
    }

    fn let_one_go(&mut self) -> Outcome {
        self.check_held()?;
        if !self.held.is_empty() {
            let at = self.random.below(self.held.len() as u64) as usize;
            let held = self.held.remove(at);
            self.say(|| format!("let {:?} go", held.r));
        }
        if self.random.one_in(3) {
            self.temporaries.pop();
        }
        Ok(())
    }

    /// Everything so far survives a power cut.
    ///
    /// # Errors
    /// As [`World::act`].
    pub fn sync(&mut self) -> Outcome {
        let act = self.rec.tell(|m| m.now());
        self.say(|| format!("sync of {act} acts"));
        let unsettled = self.rec.tell(Model::will_settle);
        let done = self.store().sync();
        self.synced(act, done, unsettled)
    }

    fn synced(&mut self, act: u32, done: Result<(), rfmalloc_core::Error>, unsettled: bool) -> Outcome {
        if self.outcome("sync", done, &[], unsettled, |_, ()| Ok(()))?.is_some() {
            self.rec.tell(|m| m.synced(act));
        }
        Ok(())
    }

    /// Work falls into a sync that has started.
    fn sync_during_work(&mut self) -> Outcome {
        let acts = 1 + self.random.below(4);
        self.sync_during(|world| {
            for _ in 0..acts {
                if !world.poisoned {
                    world.simple_act()?;
                }
            }
            Ok(())
        })
    }

    /// `work` runs between the start and the end of a whole-file sync.
    ///
    /// # Errors
    /// As [`World::act`].
    pub fn sync_during(&mut self, work: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        if self.rec.tell(|m| m.is_unsettled()) {
            return self.sync();
        }
        let act = self.rec.tell(|m| m.now());
        self.say(|| format!("sync of {act} acts, held open"));
        let store = self.store();
        let (done, may_succeed) = self.held_open(None, move || store.sync(), work)?;
        self.say(|| "   sync goes on".into());
        if done.is_ok() && may_succeed {
            self.rec.tell(|m| m.synced(act));
            return Ok(());
        }
        self.synced(act, done, false)
    }

    /// Runs `act` on another thread up to its barrier, then `work`, then the rest of `act`. Also whether `act` may succeed on the store that
    /// `work` has left poisoned: work that waits for the very act it falls into (a full store waits for the sync under way, then makes its
    /// own) is gone on with when the act has returned, so the barrier that failed can be a later one. Nothing is promised then that a failed
    /// barrier could have taken: only an act all of whose barriers ended before the first failure may.
    fn held_open<T: Send + 'static>(
        &mut self,
        off: Option<u64>,
        act: impl FnOnce() -> T + Send + 'static,
        work: impl FnOnce(&mut Self) -> Outcome,
    ) -> Result<(T, bool), String> {
        let (reached, at_barrier) = mpsc::channel();
        let (go, gone) = mpsc::channel();
        let rec = Arc::clone(&self.rec);
        rec.hold(reached, gone, off);
        let thread = std::thread::spawn(move || {
            let done = act();
            rec.release();
            (done, !rec.is_touched_by_failure())
        });
        let worked = if at_barrier.recv().is_ok() { work(self) } else { Ok(()) };
        drop(go);
        let done = thread.join().map_err(|_| "a thread panicked".to_owned());
        worked?;
        let (done, was_before) = done?;
        Ok((done, was_before && self.poisoned))
    }

    fn harden(&mut self) -> Outcome {
        let Some((r, _)) = self.some_object() else { return self.create() };
        self.harden_as(r)
    }

    /// This object survives a power cut.
    ///
    /// # Errors
    /// As [`World::act`].
    pub fn harden_as(&mut self, r: Ref) -> Outcome {
        self.say(|| format!("sync of {r:?}"));
        let (versions, unsettled) = self.rec.tell(|m| (m.versions(r), m.will_settle()));
        let store = self.store();
        let handle = store.open_id(r.0, r.1).map_err(text)?;
        let done = store.sync_object(&handle);
        drop(handle);
        self.hardened(r, versions, done, unsettled)
    }

    fn hardened(
        &mut self,
        r: Ref,
        versions: usize,
        done: Result<(), rfmalloc_core::Error>,
        unsettled: bool,
    ) -> Outcome {
        // The object itself may have been settled away.
        let tolerated = if unsettled { &[Code::Destroyed][..] } else { &[] };
        if self.outcome("sync of one", done, tolerated, unsettled, |_, ()| Ok(()))?.is_some() {
            self.rec.tell(|m| m.hardened(r, versions));
        }
        Ok(())
    }

    /// Work falls into the barrier of one object's elements.
    fn harden_during_work(&mut self) -> Outcome {
        let Some((r, _)) = self.some_object() else { return self.create() };
        let versions = self.rec.tell(|m| m.versions(r));
        let store = self.store();
        let facts = store.open_id(r.0, r.1).map_err(text)?.facts();
        if facts.nbytes == 0 || self.rec.tell(|m| m.is_unsettled()) {
            return self.harden_as(r);
        }
        self.say(|| format!("sync of {r:?}, held open"));
        let acts = 1 + self.random.below(3);
        let sync = move || store.open_id(r.0, r.1).and_then(|h| store.sync_object(&h));
        let (done, may_succeed) = self.held_open(Some(facts.off), sync, |world| {
            for _ in 0..acts {
                if world.poisoned {
                    continue;
                }
                match world.random.below(4) {
                    0 => world.write_to(r)?,
                    1 => {
                        let name = world.some_name();
                        world.rename_as(r, Some(&name), true)?;
                    }
                    _ => world.simple_act()?,
                }
            }
            Ok(())
        })?;
        self.say(|| "   sync of one goes on".into());
        if done.is_ok() && may_succeed {
            // Which of the versions it met is open: the work went on behind it.
            return Ok(());
        }
        self.hardened(r, versions, done, false)
    }

    fn close_and_open_sometimes(&mut self) -> Outcome {
        let reboot = self.random.one_in(2);
        self.say(|| format!("close, open again, reboot {reboot}"));
        self.close_and_open(reboot)
    }

    fn kill(&mut self) -> Outcome {
        let point = self.some_point(|p| !p.cut_only)?;
        let end = if self.poisoned { End::Poison } else { End::Kill };
        self.rise(&point, end, Pick::New)
    }

    fn cut(&mut self) -> Outcome {
        let point = self.some_point(|_| true)?;
        let pick = match self.random.below(6) {
            0 => Pick::Old,
            1 => Pick::New,
            _ => Pick::Mix(self.random.next()),
        };
        self.rise(&point, End::Cut, pick)
    }

    /// A point inside the act that runs now, or the moment after it.
    fn some_point(&mut self, may: impl Fn(&Point) -> bool) -> Result<Point, String> {
        if !self.poisoned {
            self.rec.take_points();
            self.rec.capture(Capture::OneIn(3));
            self.simple_act()?;
            let points: Vec<_> = self.rec.take_points().into_iter().filter(|p| may(p)).collect();
            if !self.poisoned
                && let Some(point) = self.random.choose(&points)
            {
                return Ok(point.clone());
            }
        }
        self.rec.take_failed();
        Ok(self.rec.now())
    }

    /// On a poisoned store every change is refused.
    fn poisoned_act(&mut self) -> Outcome {
        let store = self.store();
        match store.put(Dtype::Raw, 1, &[1], None, false) {
            Err(e) if e.code() == Code::Poisoned => {}
            other => return Err(format!("a poisoned store took a change: {:?}", other.map(|h| h.facts()))),
        }
        match store.sync() {
            Err(e) if e.code() == Code::Poisoned => Ok(()),
            other => Err(format!("a poisoned store synced: {other:?}")),
        }
    }

    /// The next events of some kind fail.
    fn arm(&mut self) {
        let kind = [Kind::Barrier, Kind::Barrier, Kind::SyncAll, Kind::Length][self.random.below(4) as usize];
        let errno = if kind == Kind::Length || self.random.one_in(4) { ENOSPC } else { EIO };
        let after = if kind == Kind::Barrier { self.random.below(6) } else { self.random.below(2) };
        let burst = [1, 1, 2, 3, 1000][self.random.below(5) as usize];
        let fault = Fault { kind, after, burst, errno };
        self.say(|| format!("arm {fault:?}"));
        self.rec.arm(Some(fault));
    }

    /// Objects move down and the file becomes shorter.
    ///
    /// # Errors
    /// As [`World::act`].
    pub fn compact(&mut self) -> Outcome {
        if self.rec.tell(|m| m.is_unsettled()) {
            return self.sync();
        }
        let act = self.rec.tell(|m| m.now());
        let mut steps = if self.random.one_in(3) { self.random.below(4) } else { u64::MAX };
        self.say(|| format!("compact after {act} acts, at most {steps} steps"));
        let done = self.store().compact(&mut |_, _| {
            let goes_on = steps > 0;
            steps = steps.saturating_sub(1);
            goes_on
        });
        let done = self.outcome("compact", done, &[Code::NoSpace, Code::Io], false, |_, _| Ok(()))?;
        if let Some(what) = done {
            self.say(|| format!("   {what:?}"));
            self.rec.tell(|m| m.synced(act));
        }
        Ok(())
    }

    /// A dense copy, to another path or in the place of the store's file: images of it are whole, as the store is.
    fn copy(&mut self) -> Outcome {
        if self.rec.tell(|m| m.is_unsettled()) {
            return self.sync();
        }
        let in_place = self.random.one_in(2);
        self.say(|| format!("copy, in place {in_place}"));
        if in_place {
            // What is synced now needs no superblock later, while the events are the copy's.
            self.sync()?;
            if self.poisoned {
                return Ok(());
            }
        }
        self.copy_to(in_place)
    }

    /// The store is filled to its limit.
    fn fill(&mut self) -> Outcome {
        for n in [60_000, 17_000, 4000, 500, 40] {
            for _ in 0..3 {
                self.create_as(None, n, false)?;
                if self.poisoned {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// A moment is kept, to be gone back to; or gone back to.
    fn fork_or_return(&mut self) -> Outcome {
        if self.forks.is_empty() || self.random.one_in(2) {
            self.say(|| "fork".into());
            if self.rec.tell(|m| m.now()) > 0 {
                let boot = self.boot;
                let now = self.rec.now();
                self.forks.truncate(3);
                self.forks.push((now, boot));
            }
            return Ok(());
        }
        let at = self.random.below(self.forks.len() as u64) as usize;
        let (point, boot) = self.forks[at].clone();
        self.boot = boot;
        let end = if self.random.one_in(2) { End::Kill } else { End::Cut };
        let pick = Pick::Mix(self.random.next());
        self.rise(&point, end, pick)
    }
}
