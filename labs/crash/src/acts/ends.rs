//! Ends of a life, and what befalls a whole store: kills, power cuts, failing barriers, compaction, copies, a full disk.

use super::Outcome;
use crate::disk::Pick;
use crate::model::{End, Is};
use crate::recorder::{Capture, Fault, Kind, Point};
use crate::world::World;
use rfmalloc_core::{Code, Dtype};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

impl World {
    pub(super) fn close_and_open_sometimes(&mut self) -> Outcome {
        let reboot = self.random.one_in(2);
        self.say(|| format!("close, open again, reboot {reboot}"));
        self.close_and_open(reboot)
    }

    pub(super) fn kill(&mut self) -> Outcome {
        let point = self.some_point(|p| !p.cut_only)?;
        let end = match self.poisoned {
            true if self.may_keep() && self.random.one_in(2) => End::KeptPoison,
            true => End::Poison,
            false => End::Kill,
        };
        self.rise(&point, end, Pick::New)
    }

    pub(super) fn cut(&mut self) -> Outcome {
        let point = self.some_point(|_| true)?;
        let pick = match self.random.below(6) {
            0 => Pick::Old,
            1 => Pick::New,
            _ => Pick::Mix(self.random.next()),
        };
        let end = if self.may_keep() && self.random.one_in(4) { End::Kept } else { End::Cut };
        self.rise(&point, end, pick)
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
    pub(super) fn poisoned_act(&mut self) -> Outcome {
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
    pub(super) fn arm(&mut self) {
        let kind = [Kind::Barrier, Kind::Barrier, Kind::SyncAll, Kind::Length][self.random.below(4) as usize];
        let errno = if kind == Kind::Length || self.random.one_in(4) { ENOSPC } else { EIO };
        let after = if kind == Kind::Barrier { self.random.below(6) } else { self.random.below(2) };
        let burst = [1, 1, 2, 3, 1000][self.random.below(5) as usize];
        let fault = self.lean.fault().unwrap_or(Fault { kind, after, burst, errno });
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
    pub(super) fn copy(&mut self) -> Outcome {
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

    /// Every object ends, each by itself.
    ///
    /// # Errors
    /// As [`World::act`].
    pub fn reset(&mut self) -> Outcome {
        self.say(|| "reset".into());
        let unsettled = self.rec.tell(|m| {
            let unsettled = m.will_settle();
            for (r, _) in m.live() {
                m.will_be(r, Is::Absent);
            }
            unsettled
        });
        let done = self.store().reset();
        if self.outcome("reset", done, &[Code::Busy], unsettled, |_, ()| Ok(()))?.is_some() {
            self.temporaries.clear();
            self.fillers.clear();
            self.see(End::Kill)?;
            if self.rec.tell(|m| !m.live().is_empty()) {
                return Err("there are objects after a reset".into());
            }
            if self.full {
                let now = self.rec.tell(|m| m.now());
                self.rec.tell(|m| m.synced(now));
            }
        }
        Ok(())
    }

    /// The store is filled to its limit.
    pub(super) fn fill(&mut self) -> Outcome {
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
    pub(super) fn fork_or_return(&mut self) -> Outcome {
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
