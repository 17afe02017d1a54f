//! What is done to a store: each act is announced, run, and acknowledged when it returns.

mod ends;
mod syncs;

use crate::lean::Lean;
use crate::look::{read, text, write};
use crate::model::{Is, Model, Name, Ref};
use crate::world::{Held, Hold, World};
use rfmalloc_core::{Code, Dtype};
use std::sync::Arc;
type Outcome = Result<(), String>;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Bytes of the second catalog segment: an object of that size leaves room for it.
pub(crate) const SEGMENT_1: usize = 192 * 1024;
const SIZES: [usize; 12] = [0, 8, 40, 40, 100, 500, 1500, 4000, 4096, 9000, 17_000, 40_000];
/// Beyond it, something is destroyed first.
const MOST_OBJECTS: usize = 14;

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
            12 => self.copy(),
            _ => self.reset(),
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
        let names = self.lean.names().min(NAMES.len() as u64);
        Name::from(NAMES[self.random.below(names) as usize])
    }

    fn some_size(&mut self) -> usize {
        if self.lean == Lean::Churn {
            return [40, 500, 500, 1500][self.random.below(4) as usize];
        }
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
        let replace = self.random.one_in(self.lean.replaces_one_in());
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
        let replace = self.random.one_in(self.lean.replaces_one_in());
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
}
