//! Several threads at one store, each with names and objects of its own, under one recorder: every image is held against all promises.

use crate::disk::Pick;
use crate::look::{text, write_pin};
use crate::model::{Bytes, End, Is, Model, Name, Ref};
use crate::random::Random;
use crate::recorder::{Capture, Recorder};
use crate::world::World;
use rfmalloc_core::{Code, Dtype, Store};
use std::sync::Arc;

/// One thread's place.
struct Worker<'a> {
    me: usize,
    store: &'a Store,
    rec: &'a Recorder,
    random: Random,
}

/// A history of two to four threads; images, acts, the first contradiction.
pub fn history(seed: u64) -> (u64, u64, Option<String>) {
    let mut acts = 0;
    let mut world = match World::new(seed, 1344 * 1024, Capture::Never, false) {
        Ok(world) => world,
        Err(why) => return (0, 0, Some(why)),
    };
    let failure = drive(&mut world, seed, &mut acts).err();
    (world.images().0, acts, failure)
}

fn drive(world: &mut World, seed: u64, acts: &mut u64) -> Result<(), String> {
    let mut random = Random(seed ^ 0x7EAD);
    let threads = 2 + random.below(3) as usize;
    *world.rec.models() = vec![Model::default(); threads];
    for _ in 0..3 {
        let each = 10 + random.below(20);
        world.rec.capture(Capture::OneIn(12));
        let (store, rec) = (world.store(), Arc::clone(&world.rec));
        let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
            let spawned: Vec<_> = (0..threads)
                .map(|me| {
                    let random = Random(random.next());
                    let (store, rec) = (&store, &rec);
                    scope.spawn(move || Worker { me, store, rec, random }.work(each))
                })
                .collect();
            spawned
                .into_iter()
                .map(|t| t.join().unwrap_or_else(|_| Err("a thread panicked".into())))
                .collect()
        });
        drop(store);
        *acts += each * threads as u64;
        for done in results {
            done?;
        }
        world.rec.capture(Capture::Never);
        world.rec.compare()?;
        let points = rec.take_points();
        for point in points.iter().take(24) {
            let (end, pick) = world.choose_end(point);
            world.check_image(point, end, pick)?;
        }
        world.see(End::Kill)?;
        match (random.below(3), random.choose(&points)) {
            (0, Some(point)) => world.rise(point, End::Kill, Pick::New)?,
            (1, Some(point)) => world.rise(point, End::Cut, Pick::Mix(random.next()))?,
            _ => world.close_and_open_all(random.one_in(2))?,
        }
        world.settle()?;
    }
    Ok(())
}

impl World {
    /// A clean close and another process, with several openers' promises.
    fn close_and_open_all(&mut self, reboot: bool) -> Result<(), String> {
        let nows: Vec<u32> = self.rec.models().iter().map(Model::now).collect();
        self.store().sync().map_err(text)?;
        for (m, now) in self.rec.models().iter_mut().zip(nows) {
            m.synced(now);
        }
        self.close_and_open(reboot)
    }

    /// A named change settles what stands twice.
    fn settle(&mut self) -> Result<(), String> {
        let bytes: Bytes = self.fresh_bytes(8).into();
        let name = Name::from(format!("settled {}", self.stamp));
        for m in self.rec.models().iter_mut() {
            m.will_settle();
        }
        self.rec.tell(|m| m.will_create(Some(&name), bytes.clone(), None));
        self.store().create(Dtype::Raw, 8, &bytes, Some(&name)).map_err(text)?;
        self.see(End::Kill)
    }
}

impl Worker<'_> {
    fn tell<T>(&self, f: impl FnOnce(&mut Model) -> T) -> T {
        f(&mut self.rec.models()[self.me])
    }

    fn work(&mut self, acts: u64) -> Result<(), String> {
        for _ in 0..acts {
            self.act()?;
        }
        Ok(())
    }

    fn some_object(&mut self) -> Option<Ref> {
        let live = self.tell(|m| m.live());
        self.random.choose(&live).map(|l| l.0)
    }

    fn some_name(&mut self) -> Name {
        Name::from(format!("{}-{}", self.me, self.random.below(3)))
    }

    fn done<T>(&self, what: &str, result: Result<T, rfmalloc_core::Error>) -> Result<Option<T>, String> {
        match result {
            Ok(value) => {
                self.tell(Model::done);
                Ok(Some(value))
            }
            Err(e) if e.code() == Code::NoSpace => {
                self.tell(Model::undone);
                Ok(None)
            }
            Err(e) => Err(format!("thread {}, {what}: {e}", self.me)),
        }
    }

    fn act(&mut self) -> Result<(), String> {
        let object = self.some_object();
        match (self.random.below(12), object) {
            (0..=3, _) | (_, None) => self.create(),
            (4 | 5, Some(r)) => {
                let name = self.some_name();
                let holder = self.tell(|m| m.holder(&name));
                if holder == Some(r) {
                    return Ok(());
                }
                self.tell(|m| m.will_rename(r, Some(&name), holder));
                let renamed = self
                    .store
                    .open_id(r.0, r.1)
                    .and_then(|mut h| self.store.rename(&mut h, Some(&name), true));
                self.done("rename", renamed).map(|_| ())
            }
            (6 | 7, Some(r)) => {
                let at_once = self.random.one_in(3);
                self.tell(|m| if at_once { m.will_bury(r) } else { m.will_be(r, Is::Absent) });
                let ended = self.store.open_id(r.0, r.1).and_then(|h| self.store.destroy(&h, at_once));
                if self.done("destroy", ended)?.is_some() && at_once {
                    self.tell(|m| m.buried(r));
                }
                Ok(())
            }
            (8, Some(r)) => self.write(r),
            (9, Some(r)) => {
                let versions = self.tell(|m| m.versions(r));
                let hardened = self.store.open_id(r.0, r.1).and_then(|h| self.store.sync_object(&h));
                if self.done("sync of one", hardened)?.is_some() {
                    self.tell(|m| m.hardened(r, versions));
                }
                Ok(())
            }
            _ => self.sync(),
        }
    }

    fn create(&mut self) -> Result<(), String> {
        let name = (!self.random.one_in(4)).then(|| self.some_name());
        let n = [8, 40, 500, 4000, 9000][self.random.below(5) as usize];
        let mut words = Random(self.random.next());
        let bytes: Bytes = (0..n / 8).flat_map(|_| words.next().to_le_bytes()).collect::<Vec<u8>>().into();
        let holder = name.as_ref().and_then(|n| self.tell(|m| m.holder(n)));
        self.tell(|m| m.will_create(name.as_ref(), bytes.clone(), holder));
        match self.store.put(Dtype::Raw, bytes.len() as u64, &bytes, name.as_deref(), true) {
            Ok(h) => self.tell(|m| {
                m.born((h.facts().id, h.facts().generation), h.facts().off)?;
                m.done();
                Ok(())
            }),
            failed => self.done("create", failed).map(|_| ()),
        }
    }

    fn write(&mut self, r: Ref) -> Result<(), String> {
        let Some(old) = self.tell(|m| m.bytes(r)) else { return Ok(()) };
        let handle = self.store.open_id(r.0, r.1).map_err(text)?;
        let mut words = Random(self.random.next());
        let new: Bytes =
            (0..old.len() / 8).flat_map(|_| words.next().to_le_bytes()).collect::<Vec<u8>>().into();
        let pin = handle.pin(0, new.len() as u64).map_err(text)?;
        self.tell(|m| {
            m.will_write(r, new.clone());
            // Under the models' lock, so that nobody's event reads a page of half-written words: a sector is stored at once.
            write_pin(&pin, &new);
        });
        drop(pin);
        self.rec.wrote(handle.facts().off, new.len() as u64);
        self.tell(Model::done);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), String> {
        let nows: Vec<u32> = self.rec.models().iter().map(Model::now).collect();
        if self.done("sync", self.store.sync())?.is_some() {
            for (m, now) in self.rec.models().iter_mut().zip(nows) {
                m.synced(now);
            }
        }
        Ok(())
    }
}
