//! Acts that make durable, and work that falls into them.

use super::Outcome;
use crate::look::text;
use crate::model::{Model, Ref};
use crate::world::World;
use rfmalloc_core::Code;
use std::sync::{Arc, mpsc};

impl World {
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
    pub(super) fn sync_during_work(&mut self) -> Outcome {
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

    pub(super) fn harden(&mut self) -> Outcome {
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
    pub(super) fn harden_during_work(&mut self) -> Outcome {
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
}
