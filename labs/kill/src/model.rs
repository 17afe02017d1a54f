//! What may be in the store after a death: for every object the states it may be found in, and the bytes.
//!
//! While the machine lives, that is the last acknowledged state, or the one that the act in flight makes. After a machine crash it may also be
//! any older one back to the last that a sync covers: those are kept with the order of the act that made them.

use crate::journal::{Act, Kind, Told};
use crate::rng::content;
use std::collections::{BTreeMap, HashMap};

/// Whether an object is there, and under which name (0: none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Absent,
    Live(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) thread: u64,
    pub(crate) id: u64,
    pub(crate) dtype: u64,
    pub(crate) len: u64,
    /// Oldest first; the order is that of the acknowledgement.
    pub(crate) states: Vec<(u64, State)>,
    pub(crate) bytes: Vec<(u64, Vec<u8>)>,
    /// A kill left it beside the object that has taken its name: the store destroys it with its next named change.
    pub(crate) loser: bool,
}

impl Object {
    pub(crate) fn state(&self) -> State {
        self.states.last().map_or(State::Absent, |(_, s)| *s)
    }

    pub(crate) fn current(&self) -> &[u8] {
        self.bytes.last().map_or(&[], |(_, b)| b)
    }

    fn cover_states(&mut self, order: u64) {
        forget_before(&mut self.states, order);
    }

    fn cover(&mut self, order: u64) {
        self.cover_states(order);
        forget_before(&mut self.bytes, order);
    }
}

/// Keeps what was in force at `order`, and what came later.
fn forget_before<T>(history: &mut Vec<(u64, T)>, order: u64) {
    let from = history.iter().rposition(|(o, _)| *o <= order).unwrap_or(0);
    history.drain(..from);
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// By generation.
    pub(crate) objects: BTreeMap<u64, Object>,
    pub(crate) highest: u64,
    /// (id, generation) of some that are dead for good.
    pub(crate) dead: Vec<(u64, u64)>,
    /// Orders of a round begin here.
    pub(crate) base: u64,
}

/// What the acts in flight allow beside the acknowledged.
#[derive(Default)]
pub(crate) struct Flying {
    pub(crate) next: HashMap<u64, State>,
    pub(crate) patch: HashMap<u64, Vec<u8>>,
    /// Objects that may have been born: (thread, act).
    pub(crate) births: Vec<(u64, Act)>,
    /// Whose death needs another's success: old → (thief, name).
    pub(crate) thefts: HashMap<u64, (u64, u64)>,
    pub(crate) count: u64,
}

pub(crate) fn patched(bytes: &[u8], act: &Act) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[act.start as usize..(act.start + act.len) as usize].copy_from_slice(&content(act.seed, act.len));
    bytes
}

impl Model {
    /// Applies what the threads told. Returns what was in flight, and the number of acknowledged acts.
    pub(crate) fn apply(
        &mut self,
        told: &[Vec<Told>],
        full: bool,
        problems: &mut Vec<String>,
    ) -> (Flying, u64) {
        let mut flying = Flying::default();
        let mut done = 0;
        let mut covers = Vec::new();
        let mut last = 0;
        let known = self.highest;
        for (thread, acts) in (0u64..).zip(told) {
            for t in acts {
                last = last.max(t.acknowledged.unwrap_or(t.announced));
                let Some(at) = t.acknowledged else {
                    self.in_flight(thread, &t.act, &mut flying);
                    continue;
                };
                done += 1;
                match t.act.kind {
                    Kind::Sync => covers.push((self.base + t.announced, None)),
                    Kind::SyncObject => covers.push((self.base + t.announced, Some(t.act.generation))),
                    _ => self.done(thread, &t.act, self.base + at, full, known, problems),
                }
            }
        }
        for (order, who) in covers {
            for (generation, o) in &mut self.objects {
                if who.is_none_or(|w| w == *generation) {
                    o.cover(order);
                }
            }
        }
        self.base += last + 1;
        (flying, done)
    }

    fn push(&mut self, generation: u64, order: u64, state: State, durable: bool, problems: &mut Vec<String>) {
        match self.objects.get_mut(&generation) {
            Some(o) => {
                o.states.push((order, state));
                if durable {
                    o.cover_states(order);
                }
            }
            None => problems.push(format!("the journal speaks of an unknown generation {generation}")),
        }
    }

    fn done(
        &mut self,
        thread: u64,
        act: &Act,
        order: u64,
        full: bool,
        known: u64,
        problems: &mut Vec<String>,
    ) {
        match act.kind {
            Kind::Create | Kind::Keep | Kind::Replace => {
                if act.generation <= known || self.objects.contains_key(&act.generation) {
                    problems.push(format!("generation {} recurs", act.generation));
                }
                self.highest = self.highest.max(act.generation);
                let object = born(thread, act, order);
                self.objects.insert(act.generation, object);
                if full && let Some(o) = self.objects.get_mut(&act.generation) {
                    o.cover_states(order);
                }
                if act.kind == Kind::Replace {
                    self.push(act.old, order, State::Absent, full, problems);
                }
            }
            Kind::Name => self.push(act.generation, order, State::Live(act.name), full, problems),
            Kind::Steal => {
                self.push(act.generation, order, State::Live(act.name), full, problems);
                self.push(act.old, order, State::Absent, full, problems);
            }
            Kind::Destroy => self.push(act.generation, order, State::Absent, full, problems),
            Kind::DestroyAtOnce => self.push(act.generation, order, State::Absent, true, problems),
            Kind::Write => {
                if let Some(o) = self.objects.get_mut(&act.generation) {
                    let bytes = patched(o.current(), act);
                    o.bytes.push((order, bytes));
                }
            }
            Kind::Sync | Kind::SyncObject | Kind::Compact | Kind::Close => {}
        }
    }

    fn in_flight(&self, thread: u64, act: &Act, flying: &mut Flying) {
        flying.count += 1;
        match act.kind {
            Kind::Create | Kind::Keep | Kind::Replace => flying.births.push((thread, *act)),
            Kind::Name => {
                flying.next.insert(act.generation, State::Live(act.name));
            }
            Kind::Steal => {
                flying.next.insert(act.generation, State::Live(act.name));
                flying.next.insert(act.old, State::Absent);
                flying.thefts.insert(act.old, (act.generation, act.name));
            }
            Kind::Destroy | Kind::DestroyAtOnce => {
                flying.next.insert(act.generation, State::Absent);
            }
            Kind::Write => {
                if let Some(o) = self.objects.get(&act.generation) {
                    flying.patch.insert(act.generation, patched(o.current(), act));
                }
            }
            Kind::Sync | Kind::SyncObject | Kind::Compact | Kind::Close => {}
        }
    }

    /// The file was closed cleanly, or recovered and synced: what is there now is all that counts.
    pub(crate) fn settle(&mut self) {
        for o in self.objects.values_mut() {
            o.states = vec![(0, o.state())];
            if let Some((_, bytes)) = o.bytes.pop() {
                o.bytes = vec![(0, bytes)];
            }
        }
        self.bury();
    }

    /// Forgets the bytes of what is dead for good.
    pub(crate) fn bury(&mut self) {
        let dead = &mut self.dead;
        self.objects.retain(|generation, o| {
            let gone = o.states.iter().all(|(_, s)| *s == State::Absent);
            if gone {
                dead.push((o.id, *generation));
            }
            !gone
        });
        let extra = self.dead.len().saturating_sub(10);
        self.dead.drain(..extra);
    }
}

pub(crate) fn born(thread: u64, act: &Act, order: u64) -> Object {
    let nbytes = act.len * crate::child::dtype(act.dtype).width();
    Object {
        thread,
        id: act.id,
        dtype: act.dtype,
        len: act.len,
        states: vec![(0, State::Absent), (order, State::Live(act.name))],
        bytes: vec![(order, content(act.seed, nbytes))],
        loser: false,
    }
}
