//! What this thread has open: store handles, tokens of objects, the mailbox. One Node environment per thread.
//!
//! A token names an object that the thread holds. It lives until its facade object is collected (or, without one, until it is released);
//! the hold on the object ends earlier when the object is destroyed, its store closed, or a sweep finds the facade unreachable.

use crate::compute::Stoppable;
use crate::error::{OrFail, Result, bad_argument, fail};
use crate::view::{self, Mailbox, Raw, WeakObject};
use hashbrown::{HashMap, HashSet};
use napi::Env;
use rfmalloc_core::{Code, Error, Handle, ObjectState, Store, Vector};
use std::cell::RefCell;
use std::sync::Weak;

/// One open store of this thread.
pub(crate) struct OpenStore {
    pub(crate) store: Store,
    /// `cleanupFmalloc` was called: no new objects; closes with its last token.
    pub(crate) draining: bool,
    tokens: u64,
}

struct Token {
    vector: Option<Vector>,
    weak: Option<WeakObject>,
    store: u32,
    serial: u64,
}

#[derive(Default)]
struct Tables {
    stores: HashMap<u32, OpenStore>,
    next_store: u32,
    tokens: Vec<Option<Token>>,
    free: Vec<u32>,
    /// (store, object) → token, for finding an object's facade; built when it is first asked for, since making vectors never asks.
    by_object: Option<HashMap<(u32, u64), u32>>,
    temporaries: Vec<u32>,
    /// Buffers given to the user and not yet collected: number → (file, weak reference).
    buffers: HashMap<u64, (FileId, WeakObject)>,
    next_buffer: u64,
    is_ending: bool,
    /// Those buffers that still were this thread's when it began to end: no other thread has their memory.
    ours_at_end: HashSet<u64>,
    hooked: bool,
    /// Operations that run off the event loop.
    jobs: Vec<Weak<dyn Stoppable>>,
}

/// Device and inode.
type FileId = (u64, u64);

thread_local! {
    static TABLES: RefCell<Tables> = RefCell::new(Tables::default());
    /// Leaked: a buffer over it may outlive this thread's destructors.
    static MAILBOX: &'static Mailbox = Box::leak(Box::new(Mailbox::new()));
}

pub(crate) fn mailbox() -> &'static Mailbox {
    MAILBOX.with(|m| *m)
}

fn with<T>(f: impl FnOnce(&mut Tables) -> T) -> T {
    TABLES.with(|t| f(&mut t.borrow_mut()))
}

fn closed() -> napi::Error<crate::error::Status> {
    fail(&Error::new(Code::Closed, "the runtime is closed; open the file again"))
}

/// Adds an open store; returns its handle.
pub(crate) fn add_store(env: &Env, store: Store) -> u32 {
    with(|t| {
        if !t.hooked {
            t.hooked = true;
            view::on_end(env);
        }
        t.next_store += 1;
        t.stores.insert(t.next_store, OpenStore { store, draining: false, tokens: 0 });
        t.next_store
    })
}

/// Runs `f` with a store if it is open.
pub(crate) fn with_store<T>(handle: u32, f: impl FnOnce(&Store) -> T) -> Option<T> {
    with(|t| t.stores.get(&handle).map(|s| f(&s.store)))
}

/// Runs `f` with an open store.
pub(crate) fn store<T>(handle: u32, f: impl FnOnce(&Store) -> rfmalloc_core::Result<T>) -> Result<T> {
    with(|t| match t.stores.get(&handle) {
        Some(s) => f(&s.store).or_fail(),
        None => Err(closed()),
    })
}

/// The same for making objects: refused after `cleanupFmalloc`.
pub(crate) fn store_for_new<T>(handle: u32, f: impl FnOnce(&Store) -> rfmalloc_core::Result<T>) -> Result<T> {
    with(|t| match t.stores.get(&handle) {
        Some(s) if !s.draining => f(&s.store).or_fail(),
        _ => Err(closed()),
    })
}

pub(crate) fn is_draining(handle: u32) -> bool {
    with(|t| t.stores.get(&handle).is_some_and(|s| s.draining))
}

impl Tables {
    fn add(&mut self, store: u32, vector: Vector) -> u32 {
        let (serial, temporary) = match &vector {
            Vector::Object(h) => (h.serial(), !h.facts().committed),
            Vector::File(_) => (0, false),
        };
        let token = self.free.pop().unwrap_or_else(|| {
            self.tokens.push(None);
            self.tokens.len() as u32 - 1
        });
        self.tokens[token as usize] = Some(Token { vector: Some(vector), weak: None, store, serial });
        if serial != 0
            && let Some(map) = &mut self.by_object
        {
            map.insert((store, serial), token);
        }
        if temporary {
            self.temporaries.push(token);
        }
        if let Some(s) = self.stores.get_mut(&store) {
            s.tokens += 1;
        }
        token
    }

    fn get(&self, token: u32) -> Option<&Token> {
        self.tokens.get(token as usize)?.as_ref()
    }

    fn with_parts<T>(
        &self,
        owner: u32,
        parts: &[u32],
        f: impl FnOnce(&Store, &[&Handle]) -> rfmalloc_core::Result<T>,
    ) -> Result<T> {
        let Some(store) = self.get(owner).and_then(|k| self.stores.get(&k.store)) else {
            return Err(closed());
        };
        let handle = |part: &u32| match self.get(*part) {
            Some(Token { vector: Some(Vector::Object(h)), .. }) => Ok(h),
            _ => Err(gone(self, *part)),
        };
        let parts = parts.iter().map(handle).collect::<Result<Vec<_>>>()?;
        f(&store.store, &parts).or_fail()
    }

    /// Ends the hold; the token stays while a facade object has it.
    fn let_go(&mut self, token: u32) -> Option<Vector> {
        let t = self.tokens.get_mut(token as usize)?.as_mut()?;
        let vector = t.vector.take()?;
        let (store, serial, attached) = (t.store, t.serial, t.weak.is_some());
        if let Some(map) = &mut self.by_object
            && map.get(&(store, serial)) == Some(&token)
        {
            map.remove(&(store, serial));
        }
        if !attached {
            self.tokens[token as usize] = None;
            self.free.push(token);
        }
        if let Some(s) = self.stores.get_mut(&store) {
            s.tokens -= 1;
            if s.draining && s.tokens == 0 {
                // The last object of a drained store: let it go. An error of the final sync has nobody to go to here.
                self.stores.remove(&store);
            }
        }
        Some(vector)
    }
}

/// Holds a vector; returns its token.
pub(crate) fn add(store: u32, vector: Vector) -> u32 {
    with(|t| t.add(store, vector))
}

/// Runs `f` with the vector behind a token.
pub(crate) fn vector<T>(token: u32, f: impl FnOnce(&Vector) -> rfmalloc_core::Result<T>) -> Result<T> {
    with(|t| match t.get(token).and_then(|t| t.vector.as_ref()) {
        Some(v) => f(v).or_fail(),
        None => Err(gone(t, token)),
    })
}

/// Runs `f` with two vectors.
pub(crate) fn vectors<T>(
    a: u32,
    b: u32,
    f: impl FnOnce(&Vector, &Vector) -> rfmalloc_core::Result<T>,
) -> Result<T> {
    with(|t| match (t.get(a).and_then(|t| t.vector.as_ref()), t.get(b).and_then(|t| t.vector.as_ref())) {
        (Some(x), Some(y)) => f(x, y).or_fail(),
        (None, _) => Err(gone(t, a)),
        (_, None) => Err(gone(t, b)),
    })
}

/// Runs `f` with the object behind a token and its store.
pub(crate) fn object<T>(
    token: u32,
    f: impl FnOnce(&Store, &mut Handle) -> rfmalloc_core::Result<T>,
) -> Result<T> {
    with(|t| {
        let Some(Token { vector: Some(Vector::Object(h)), store, .. }) =
            t.tokens.get_mut(token as usize).and_then(Option::as_mut)
        else {
            return Err(gone(t, token));
        };
        match t.stores.get(store) {
            Some(s) => f(&s.store, h).or_fail(),
            None => Err(closed()),
        }
    })
}

/// Runs `f` with the store of a result, an object with its store, and a vector that is read beside it.
pub(crate) fn from_object<T>(
    to: u32,
    token: u32,
    beside: Option<u32>,
    f: impl FnOnce(&Store, &Store, &Handle, Option<&Vector>) -> rfmalloc_core::Result<T>,
) -> Result<T> {
    with(|t| {
        let held = |token: u32| t.get(token).and_then(|k| Some((k.store, k.vector.as_ref()?)));
        let Some((from, Vector::Object(object))) = held(token) else { return Err(gone(t, token)) };
        let beside = match beside {
            Some(token) => Some(held(token).ok_or_else(|| gone(t, token))?.1),
            None => None,
        };
        match (t.stores.get(&to), t.stores.get(&from)) {
            (Some(to), Some(from)) if !to.draining => f(&to.store, &from.store, object, beside).or_fail(),
            _ => Err(closed()),
        }
    })
}

/// Runs `f` with an open store and the objects behind tokens; a negative token is nothing.
pub(crate) fn objects<T>(
    store: u32,
    tokens: &[i32],
    f: impl FnOnce(&Store, &[Option<&Handle>]) -> rfmalloc_core::Result<T>,
) -> Result<T> {
    with(|t| {
        let find = |token: &i32| match u32::try_from(*token) {
            Err(_) => Ok(None),
            Ok(token) => match t.get(token).and_then(|k| k.vector.as_ref()) {
                Some(Vector::Object(h)) => Ok(Some(h)),
                Some(Vector::File(_)) => Err(bad_argument("a plain file belongs to no store")),
                None => Err(gone(t, token)),
            },
        };
        let items = tokens.iter().map(find).collect::<Result<Vec<_>>>()?;
        match t.stores.get(&store) {
            Some(s) => f(&s.store, &items).or_fail(),
            None => Err(closed()),
        }
    })
}

/// Runs `f` with an open store and the vectors behind tokens, be they whose they will; a negative token is nothing.
pub(crate) fn vectors_of<T>(
    store: u32,
    tokens: &[i32],
    f: impl FnOnce(&Store, &[Option<&Vector>]) -> rfmalloc_core::Result<T>,
) -> Result<T> {
    with(|t| {
        let find = |token: &i32| match u32::try_from(*token) {
            Err(_) => Ok(None),
            Ok(token) => match t.get(token).and_then(|k| k.vector.as_ref()) {
                Some(v) => Ok(Some(v)),
                None => Err(gone(t, token)),
            },
        };
        let vectors = tokens.iter().map(find).collect::<Result<Vec<_>>>()?;
        match t.stores.get(&store) {
            Some(s) => f(&s.store, &vectors).or_fail(),
            None => Err(closed()),
        }
    })
}

/// The same with objects that are to become its parts.
pub(crate) fn object_with<T>(
    token: u32,
    parts: &[u32],
    f: impl FnOnce(&Store, &mut Handle, &[&Handle]) -> rfmalloc_core::Result<T>,
) -> Result<T> {
    with(|t| {
        // Out of the table meanwhile: the owner changes while the parts are read.
        let slot = t.tokens.get_mut(token as usize).and_then(Option::as_mut);
        let Some(Vector::Object(mut owner)) = slot.and_then(|k| k.vector.take()) else {
            return Err(gone(t, token));
        };
        let done = t.with_parts(token, parts, |store, parts| f(store, &mut owner, parts));
        if let Some(Some(k)) = t.tokens.get_mut(token as usize) {
            k.vector = Some(Vector::Object(owner));
        }
        done
    })
}

fn gone(t: &Tables, token: u32) -> napi::Error<crate::error::Status> {
    match t.get(token) {
        Some(k) if k.store != 0 && !t.stores.contains_key(&k.store) => closed(),
        Some(_) => fail(&Error::new(Code::Destroyed, "the vector was destroyed; this is a closed handle")),
        None => bad_argument("no such token"),
    }
}

/// Where the object behind a token stands; never fails.
pub(crate) fn state(token: u32) -> &'static str {
    with(|t| match t.get(token) {
        Some(k) => match &k.vector {
            _ if k.store != 0 && !t.stores.contains_key(&k.store) => ObjectState::Closed.name(),
            Some(Vector::Object(h)) => h.state().name(),
            Some(Vector::File(_)) => ObjectState::Committed.name(),
            None => ObjectState::Destroyed.name(),
        },
        None => ObjectState::Destroyed.name(),
    })
}

/// Ties a facade object to a token.
pub(crate) fn attach(env: &Env, token: u32, object: &Raw) -> Result<()> {
    with(|t| match t.tokens.get_mut(token as usize).and_then(Option::as_mut) {
        Some(k) if k.weak.is_none() => {
            k.weak = Some(view::wrap(env, object, token)?);
            Ok(())
        }
        _ => Err(bad_argument("attach: no such token, or attached already")),
    })
}

/// The live facade object of an open object in this store handle.
pub(crate) fn facade(env: &Env, store: u32, serial: u64) -> Option<Raw> {
    with(|t| {
        let tokens = &t.tokens;
        let map = t.by_object.get_or_insert_with(|| {
            let held = tokens.iter().zip(0..).filter_map(|(k, token)| Some((k.as_ref()?, token)));
            held.filter(|(k, _)| k.vector.is_some() && k.serial != 0)
                .map(|(k, token)| ((k.store, k.serial), token))
                .collect()
        });
        let token = *map.get(&(store, serial))?;
        t.get(token)?.weak.as_ref()?.get(env)
    })
}

/// A facade object was collected: its token ends. The weak reference is the caller's to delete.
pub(crate) fn collected(token: u32) -> Option<WeakObject> {
    let done = TABLES.try_with(|t| {
        let mut t = t.borrow_mut();
        let vector = t.let_go(token);
        let ended = t.tokens.get_mut(token as usize).and_then(Option::take);
        if ended.is_some() {
            t.free.push(token);
        }
        (vector, ended.and_then(|k| k.weak))
    });
    // The vector is dropped here, outside the borrow: the last object of a drained store closes it.
    done.ok().and_then(|(_, weak)| weak)
}

/// Ends this thread's hold on an object.
pub(crate) fn release(token: u32) {
    drop(with(|t| t.let_go(token)));
}

/// Lets go of temporaries whose facade objects are unreachable although no finalizer has run yet; returns their bytes.
pub(crate) fn sweep(env: &Env) -> u64 {
    let mut freed = 0;
    let mut dropped = Vec::new();
    with(|t| {
        let list = std::mem::take(&mut t.temporaries);
        for token in list {
            let Some(k) = t.get(token) else { continue };
            let Some(Vector::Object(h)) = &k.vector else { continue };
            if h.facts().committed {
                continue;
            }
            match &k.weak {
                Some(weak) if weak.is_gone(env) => {
                    freed += h.facts().nbytes;
                    dropped.extend(t.let_go(token));
                }
                _ => t.temporaries.push(token),
            }
        }
        for s in t.stores.values() {
            s.store.swept();
        }
    });
    freed
}

/// Makes a buffer for the user by `make(number)` and lists it under the store's file.
pub(crate) fn list_buffer(store: u32, make: impl FnOnce(u64) -> Result<(Raw, WeakObject)>) -> Result<Raw> {
    let (number, file) = with(|t| {
        t.next_buffer += 1;
        (t.next_buffer, t.stores.get(&store).map_or((0, 0), |s| s.store.file_id()))
    });
    let (buffer, weak) = make(number)?;
    with(|t| t.buffers.insert(number, (file, weak)));
    Ok(buffer)
}

/// A listed buffer's finalizer runs: its weak reference, which is the caller's to delete, and whether it was ours at the thread's end.
pub(crate) fn buffer_gone(number: u64) -> (Option<WeakObject>, bool) {
    TABLES
        .try_with(|t| {
            let mut t = t.borrow_mut();
            (t.buffers.remove(&number).map(|(_, weak)| weak), t.ours_at_end.remove(&number))
        })
        .unwrap_or_default()
}

/// The first finalizer of the ending thread runs: Node has detached its buffer, but none of the others yet.
pub(crate) fn ending(is_attached: impl Fn(&WeakObject) -> bool) {
    let _ = TABLES.try_with(|t| {
        let mut t = t.borrow_mut();
        if !std::mem::replace(&mut t.is_ending, true) {
            t.ours_at_end =
                t.buffers.iter().filter(|(_, (_, weak))| is_attached(weak)).map(|(n, _)| *n).collect();
        }
    });
}

/// Puts another weak reference in the place of a listed buffer's; returns the one that the caller must delete.
pub(crate) fn relist(number: u64, weak: WeakObject) -> WeakObject {
    with(|t| match t.buffers.get_mut(&number) {
        Some((_, old)) => std::mem::replace(old, weak),
        None => weak,
    })
}

/// The reachable buffers of this thread over the file of an open store, by their numbers.
pub(crate) fn buffers(env: &Env, store: u32) -> Vec<(u64, Raw)> {
    with(|t| {
        let Some(file) = t.stores.get(&store).map(|s| s.store.file_id()) else { return Vec::new() };
        t.buffers
            .iter()
            .filter(|(_, (f, _))| *f == file)
            .filter_map(|(number, (_, weak))| Some((*number, weak.get(env)?)))
            .collect()
    })
}

/// The store handle of a token; 0: a plain file.
pub(crate) fn store_of(token: u32) -> u32 {
    with(|t| t.get(token).map_or(0, |k| k.store))
}

/// Takes a store out and with it every hold of this thread on its objects.
fn take_store(handle: u32) -> Option<(OpenStore, Vec<Vector>)> {
    with(|t| {
        let s = t.stores.remove(&handle)?;
        let mut dropped = Vec::new();
        for token in 0..t.tokens.len() as u32 {
            if t.get(token).is_some_and(|k| k.store == handle && k.vector.is_some()) {
                dropped.extend(t.let_go(token));
            }
        }
        Some((s, dropped))
    })
}

/// Lists an operation that runs off the event loop, to be stopped when a store that it touches is closed.
pub(crate) fn list_job(job: Weak<dyn Stoppable>) {
    with(|t| {
        t.jobs.retain(|job| job.strong_count() > 0);
        t.jobs.push(job);
    });
}

/// Stops the operations that touch a store.
fn stop_jobs(jobs: &[Weak<dyn Stoppable>], store: u32) {
    for job in jobs.iter().filter_map(Weak::upgrade) {
        job.store_closes(store);
    }
}

/// Closes a store handle; nothing to do if it is closed.
pub(crate) fn close(handle: u32) -> Result<()> {
    let jobs = with(|t| t.jobs.clone());
    stop_jobs(&jobs, handle);
    let Some((s, held)) = take_store(handle) else { return Ok(()) };
    let done = s.store.close().or_fail();
    // Only now: work on one of these that begins meanwhile is to find a closed store, not an object that is gone.
    drop(held);
    done
}

/// R's rule: refuses new objects; closes when the last object is gone. True: closed at once.
pub(crate) fn drain(handle: u32) -> Result<bool> {
    let now = with(|t| match t.stores.get_mut(&handle) {
        Some(s) => {
            s.draining = true;
            s.tokens == 0
        }
        None => true,
    });
    if now {
        close(handle)?;
    }
    Ok(now)
}

/// The environment ends: everything this thread had open is let go.
pub(crate) fn ended() {
    let _ = TABLES.try_with(|t| {
        let tables = std::mem::take(&mut *t.borrow_mut());
        drop(tables.tokens);
        for (handle, s) in tables.stores {
            stop_jobs(&tables.jobs, handle);
            // The error of a final sync has nobody to go to: the thread is over.
            let _ = s.store.close();
        }
    });
}
