//! Whether a picture is what was promised, and a picture taken for how things stand.

use super::{Bytes, End, Is, Model, Name, Object, Picture, Ref, Stage, brief, live_name};
use crate::disk::SECTOR;
use std::sync::Arc;

fn has_none_since(taken: &[(u32, bool)], from: usize) -> bool {
    taken[from.min(taken.len())..].iter().any(|t| !t.1)
}

fn since(taken: &[(u32, bool)], act: u32) -> usize {
    taken.iter().rposition(|t| t.0 <= act).unwrap_or(0)
}

/// Every sector of the file that the elements touch is of one of these versions.
fn is_mixture(seen: &[u8], off: u64, allowed: &[(u32, Bytes)]) -> bool {
    if allowed.last().is_some_and(|c| *c.1 == *seen) {
        return true;
    }
    let mut at = 0;
    while at < seen.len() {
        let end = (at + SECTOR - (off as usize + at) % SECTOR).min(seen.len());
        if !allowed.iter().any(|c| c.1.len() == seen.len() && c.1[at..end] == seen[at..end]) {
            return false;
        }
        at = end;
    }
    allowed.iter().any(|c| c.1.len() == seen.len())
}

/// Judging.
impl Model {
    /// Whether a store that stopped like this may look so; the words of the first contradiction.
    ///
    /// # Errors
    /// What contradicts the promises.
    pub fn judge(&self, picture: &Picture, end: End) -> Result<(), String> {
        for (r, o) in &self.objects {
            self.judge_object(*r, o, picture, end)?;
        }
        let mut births = 0;
        for (r, seen) in picture.objects.iter().filter(|(r, _)| !self.objects.contains_key(r)) {
            let has_bytes = |u: &Bytes| **u == *seen.bytes || (end.keeps() && u.len() == seen.bytes.len());
            let fits = self.unborn.as_ref().is_some_and(|u| u.name == seen.name && has_bytes(&u.bytes));
            births += 1;
            if !fits || births > 1 || self.generations.contains(&r.1) {
                return Err(format!("{r:?} ({:?}, {}) is nobody's object", seen.name, brief(&seen.bytes)));
            }
        }
        for (name, r) in &picture.names {
            self.judge_holder(name, *r, picture, end)?;
        }
        // Kept is each record by itself: also the end of one whose successor was lost.
        let must_be_found = |name: &Name| !end.keeps() && !picture.names.contains_key(name);
        for (name, history) in self.names.iter().filter(|(n, _)| must_be_found(n)) {
            let from = if end == End::Kill {
                since(&history.taken, self.now)
            } else {
                let hardened = history.hardened.filter(|h| self.burying != Some(h.1));
                since(&history.taken, self.synced).max(hardened.map_or(0, |h| h.0))
            };
            if !has_none_since(&history.taken, from) {
                return Err(format!(
                    "the name {name:?} is free, and was taken all the time since it was durable"
                ));
            }
        }
        Ok(())
    }

    fn judge_object(&self, r: Ref, o: &Object, picture: &Picture, end: End) -> Result<(), String> {
        let allowed = o.allowed(end, self.now, self.synced);
        let Some(seen) = picture.objects.get(&r) else {
            return if allowed.iter().any(|s| s.is == Is::Absent) {
                Ok(())
            } else {
                Err(format!("{r:?} is gone; allowed: {}", stages(allowed)))
            };
        };
        let fits = |is: &Is| match is {
            Is::Live { name, .. } if *name == seen.name => true,
            // Someone else has the name now: the loser of rule 15.
            Is::Live { name: Some(name), .. } => {
                seen.name.is_none() && picture.names.get(name).is_some_and(|other| *other != r)
            }
            _ => false,
        };
        let was_abandoned = end.keeps() && o.abandoned.contains(&seen.name);
        if !was_abandoned && !allowed.iter().any(|s| fits(&s.is)) {
            return Err(format!("{r:?} is there with name {:?}; allowed: {}", seen.name, stages(allowed)));
        }
        let mut contents = o.contents_allowed(end, self.now, self.synced);
        let upto = if end == End::Kill { self.now } else { self.synced };
        match (seen.sealed, o.sealed) {
            (true, None) if !end.keeps() || !o.seal_was_abandoned => {
                return Err(format!("{r:?} is sealed, and nobody sealed it"));
            }
            (false, Some(act)) if act <= upto || (o.seal_is_hard && end != End::Kill) => {
                return Err(format!("{r:?} is not sealed any more"));
            }
            // What is sealed has the elements that it was sealed with.
            (true, Some(act)) if !end.keeps() || act <= upto || o.seal_is_hard => {
                contents = &contents[contents.len() - 1..];
            }
            _ => {}
        }
        if end.keeps() && allowed[0].is == Is::Absent {
            // No sync covered any of it.
            let len = contents.last().map(|c| c.1.len());
            return if len == Some(seen.bytes.len()) {
                Ok(())
            } else {
                Err(format!("{r:?} has {} bytes; allowed: {len:?}", seen.bytes.len()))
            };
        }
        if !is_mixture(&seen.bytes, seen.off, contents) {
            let versions: Vec<String> = contents.iter().map(|c| brief(&c.1)).collect();
            return Err(format!("{r:?} has the elements {}; allowed: {versions:?}", brief(&seen.bytes)));
        }
        Ok(())
    }

    /// Of several that carry a name, the one whose naming was last is found.
    fn judge_holder(&self, name: &Name, r: Ref, picture: &Picture, end: End) -> Result<(), String> {
        if picture.objects.get(&r).is_none_or(|s| s.name.as_ref() != Some(name)) {
            return Err(format!("under {name:?} {r:?} is found, which has no such name"));
        }
        // The first and the last naming that this may be.
        let naming = |r: &Ref| -> Option<(u32, u32)> {
            let Some(o) = self.objects.get(r) else { return Some((self.next(), self.next())) };
            let allowed = o.allowed(end, self.now, self.synced).iter();
            let namings = allowed.filter(|s| live_name(&s.is) == Some(name)).map(|s| s.naming);
            namings.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        };
        let mine = naming(&r).map(|n| n.1);
        for (other, seen) in &picture.objects {
            if *other != r && seen.name.as_ref() == Some(name) && naming(other).map(|n| n.0) > mine {
                return Err(format!("under {name:?} {r:?} is found, but {other:?} took the name later"));
            }
        }
        Ok(())
    }

    /// The picture is how things stand now. After a power cut nothing else can come back.
    ///
    /// # Errors
    /// A generation that was issued before.
    pub fn adopt(&mut self, picture: &Picture, end: End) -> Result<(), String> {
        let (now, synced) = (self.now, self.synced);
        let act = now + 1;
        let unborn = self.unborn.take();
        self.burying = None;
        let cut = end.is_power_cut();
        if cut {
            self.objects.retain(|r, _| picture.objects.contains_key(r));
        }
        for (r, o) in &mut self.objects {
            let seen = picture.objects.get(r);
            let window = o.allowed(end, now, synced);
            let name = seen.map(|s| &s.name);
            let matching = |s: &&Stage| match (&s.is, name) {
                (Is::Absent, None) => true,
                (Is::Live { name, .. }, Some(seen)) => name == seen,
                _ => false,
            };
            let may_die = o.may_die || window.iter().any(|s| s.is == Is::Absent && s.act > 0);
            let found = window.iter().rfind(matching).cloned();
            // The naming keeps its place among the namings.
            let first = window.iter().filter(matching).map(|s| s.naming.0).min().unwrap_or(act);
            let naming = (first, found.as_ref().map_or(act, |s| s.naming.1));
            let is = match (&found, seen) {
                (Some(s), _) => s.is.clone(),
                (None, None) => Is::Absent,
                (None, Some(s)) => Is::Live { name: s.name.clone(), replaces: None },
            };
            o.may_die = may_die && seen.is_some();
            if let Some(seen) = seen {
                let is_covered = o.seal_is_hard || o.sealed.is_some_and(|act| act <= synced);
                o.seal_is_unverified = seen.sealed && (o.seal_is_unverified || (end.keeps() && !is_covered));
                o.seal_was_abandoned |= end == End::Kill && o.sealed.is_some() && !seen.sealed;
                o.sealed = if seen.sealed { o.sealed.filter(|a| *a <= now).or(Some(act)) } else { None };
                o.seal_is_hard &= seen.sealed;
            }
            if end == End::Kill {
                let dropped = o.stages.iter().filter(|s| s.act > now);
                o.abandoned.extend(dropped.filter_map(|s| match &s.is {
                    Is::Live { name, .. } => Some(name.clone()),
                    Is::Absent => None,
                }));
                o.stages.retain(|s| s.act <= now);
                o.contents.retain(|c| c.0 <= now);
            }
            if cut {
                (o.abandoned, o.seal_was_abandoned) = (Vec::new(), false);
                (o.stages, o.floor, o.contents, o.content_floor) =
                    (vec![Stage { act, naming, is }], 0, Vec::new(), 0);
            } else if *o.last() != is {
                o.stages.push(Stage { act, naming, is });
            }
            if let Some(seen) = seen {
                o.off = seen.off;
                if o.contents.last().is_none_or(|c| *c.1 != *seen.bytes) {
                    o.contents.push((act, Arc::clone(&seen.bytes)));
                }
            }
        }
        for (r, seen) in &picture.objects {
            if !self.objects.contains_key(r)
                && let Some(u) = &unborn
            {
                self.insert(*r, seen.off, act, u.clone())?;
                let Some(o) = self.objects.get_mut(r) else { continue };
                if cut {
                    o.stages.remove(0);
                }
                if cut || end.keeps() {
                    o.contents = vec![(act, Arc::clone(&seen.bytes))];
                }
            }
        }
        if cut {
            self.names.clear();
        }
        for name in picture.names.keys() {
            self.names.entry(Arc::clone(name)).or_default();
        }
        for (name, history) in &mut self.names {
            let is_taken = picture.names.contains_key(name);
            if end == End::Kill {
                history.taken.retain(|t| t.0 <= now);
            }
            if history.taken.is_empty() && !cut {
                history.taken.push((0, false));
            }
            if history.taken.last().is_none_or(|t| t.1 != is_taken) {
                history.taken.push((act, is_taken));
            }
        }
        self.found.clear();
        for (name, r) in &picture.names {
            if picture.objects.iter().any(|(other, s)| other != r && s.name.as_ref() == Some(name)) {
                self.found.insert(Arc::clone(name), *r);
            }
        }
        self.now = act;
        if cut {
            self.synced = act;
        }
        Ok(())
    }

    /// The act failed and changed nothing.
    pub fn undone(&mut self) {
        let now = self.now;
        self.unborn = None;
        self.burying = None;
        for o in self.objects.values_mut() {
            o.stages.retain(|s| s.act <= now);
            o.contents.retain(|c| c.0 <= now);
            o.sealed = o.sealed.filter(|act| *act <= now);
        }
        for history in self.names.values_mut() {
            history.taken.retain(|t| t.0 <= now);
        }
    }
}
fn stages(list: &[Stage]) -> String {
    let words: Vec<String> = list
        .iter()
        .map(|s| match &s.is {
            Is::Absent => format!("{}: absent", s.act),
            Is::Live { name, .. } => format!("{}: {name:?}", s.act),
        })
        .collect();
    format!("[{}]", words.join(", "))
}

/// Each model's part of a picture: its objects and names, and the birth that it announced.
fn parts(models: &[Model], picture: &Picture) -> Result<Vec<Picture>, String> {
    if models.len() == 1 {
        return Ok(vec![picture.clone()]);
    }
    let mut parts = vec![Picture::default(); models.len()];
    for (r, seen) in &picture.objects {
        let owner = models.iter().position(|m| m.objects.contains_key(r)).or_else(|| {
            models
                .iter()
                .position(|m| m.unborn.as_ref().is_some_and(|u| u.name == seen.name && u.bytes == seen.bytes))
        });
        let owner = owner
            .ok_or_else(|| format!("{r:?} ({:?}, {}) is nobody's object", seen.name, brief(&seen.bytes)))?;
        parts[owner].objects.insert(*r, seen.clone());
    }
    for (name, r) in &picture.names {
        if let Some(owner) = parts.iter_mut().find(|p| p.objects.contains_key(r)) {
            owner.names.insert(Arc::clone(name), *r);
        }
    }
    Ok(parts)
}

/// [`Model::judge`] of several openers, who share neither objects nor names.
///
/// # Errors
/// As there.
pub fn judge_all(models: &[Model], picture: &Picture, end: End) -> Result<(), String> {
    let parts = parts(models, picture)?;
    models.iter().zip(&parts).try_for_each(|(m, part)| m.judge(part, end))
}

/// [`Model::adopt`] of several openers.
///
/// # Errors
/// As there.
pub fn adopt_all(models: &mut [Model], picture: &Picture, end: End) -> Result<(), String> {
    let parts = parts(models, picture)?;
    models.iter_mut().zip(&parts).try_for_each(|(m, part)| m.adopt(part, end))
}
