//! `order`, `sort`, `unique` and `which` on vectors.
//!
//! `sort` is `x[order(x)]`, NA and NaN last: R's own `sort` drops them unless told otherwise (`na.last`), which cannot be undone, while they are
//! easily left out of a result that has them. Where only elements are wanted, and keys say all of them, they are sorted as they are; else the
//! positions stand in a temporary meanwhile, by which elements and names are picked. An array is taken as its vector.

use super::given::{Given, Input, Piece};
use super::text::own_vector;
use super::work::{Amount, Work, run_held};
use crate::brackets::gather_texts;
use crate::compute::{Context, KIND};
use crate::dtype::Dtype;
use crate::elements::{BLOCK, Guard, Vector};
use crate::error::{Code, Error, Result};
use crate::ordering::{self, Limits, PlainWords, TextWords};
use crate::region::Span;
use crate::select;
use crate::store::{Change, Handle, Operation, Role, Store};
use crate::subscript::{Receiver, Run, Runs};

/// Elements that are read, held in place.
struct Source {
    vector: Vector,
    start: u64,
    len: u64,
    guard: Guard,
}

impl Source {
    fn new(store: &Store, x: &Input<'_>) -> Result<Self> {
        let (vector, start) = match x.given {
            Given::Piece(Piece { vector, start, .. }) => (own_vector(vector)?, start),
            Given::Value(..) => (store.own_copy(x)?, 0),
        };
        let guard = vector.guard_any()?;
        Ok(Self { vector, start, len: x.len, guard })
    }

    fn dtype(&self) -> Dtype {
        self.vector.dtype()
    }

    fn span(&self) -> Span {
        let width = self.dtype().width();
        self.guard.span().part(self.start * width, self.len * width)
    }

    /// Its positions in order.
    fn order(&self, ctx: &Context<'_>, out: Span) -> Result<Option<()>> {
        if self.dtype() != Dtype::Character {
            let words = PlainWords::new(self.dtype(), self.span());
            return ordering::order(ctx, Limits::default(), &words, self.len, out);
        }
        let words = TextWords::new(&self.vector, self.start, self.len)?;
        let done = ordering::order(ctx, Limits::default(), &words, self.len, out)?;
        words.check()?;
        Ok(done)
    }

    /// To be called after the last read.
    fn check(&self) -> Result<()> {
        let width = self.dtype().width();
        self.guard.check(self.start * width, self.len * width)
    }
}

/// Names, and whither they are picked.
struct Names {
    from: Vector,
    start: u64,
    to: Vector,
}

/// How the result comes about.
enum Way {
    /// It is the positions.
    Positions,
    /// Elements are sorted as they are.
    Elements,
    /// Elements, and their names, are picked by the positions in a temporary.
    Picked(Box<Picking>),
}

/// What elements are picked by.
struct Picking {
    positions: Handle,
    names: Option<Names>,
}

/// What is held until the work is done.
struct Held {
    source: Source,
    /// The positions, or the elements that are sorted as they are.
    writing: Option<Operation>,
}

/// An `order` or `sort`, begun and not yet ended: see [`Work`].
pub struct OrderingWork {
    amount: Amount,
    held: Option<Held>,
    way: Way,
    result: Vector,
    is_done: bool,
}

impl Store {
    /// R's `order(x)` as a temporary of doubles: the positions, from 0, of the elements in ascending order, equal ones as they stand, NA and NaN
    /// last. Logical, integer, numeric; complex by real part, then imaginary part; text by code point.
    ///
    /// # Errors
    /// `TYPE` (bad-type: raw, lists, frames); `NO_SPACE`, `READ_ONLY`, `DESTROYED`, `CLOSED`; `IO`, `CORRUPT`: elements cannot be read.
    pub fn order(&self, ctx: &Context<'_>, x: Given<'_>) -> Result<Handle> {
        let mut work = self.begin_order(x)?;
        work.run(ctx)?;
        work.finish()
    }

    /// Begins what [`Store::order`] does.
    ///
    /// # Errors
    /// As there.
    pub fn begin_order(&self, x: Given<'_>) -> Result<OrderingWork> {
        let x = Input::new(x)?;
        if matches!(x.dtype, Dtype::Raw | Dtype::List) {
            let what = format!("unimplemented type '{}' in 'order'", x.dtype.name());
            return Err(Error::new(Code::Type, what).with(KIND, "bad-type"));
        }
        let source = Source::new(self, &x)?;
        let result = self.reserve(Dtype::Numeric, x.len, false)?;
        OrderingWork::new(source, Way::Positions, result)
    }

    /// The elements of `x` in ascending order, as a temporary with their names and nothing else: `x[order(x)]`. NA and NaN are kept, last.
    ///
    /// # Errors
    /// As [`Store::order`].
    pub fn sort(&self, ctx: &Context<'_>, x: Given<'_>) -> Result<Handle> {
        let mut work = self.begin_sort(x)?;
        work.run(ctx)?;
        work.finish()
    }

    /// Begins what [`Store::sort`] does.
    ///
    /// # Errors
    /// As there.
    pub fn begin_sort(&self, x: Given<'_>) -> Result<OrderingWork> {
        let x = Input::new(x)?;
        match x.dtype {
            Dtype::Raw => {
                return Err(Error::new(Code::Type, "raw vectors cannot be sorted").with(KIND, "bad-type"));
            }
            Dtype::List => return Err(Error::new(Code::Type, "'x' must be atomic").with(KIND, "bad-type")),
            _ => {}
        }
        let source = Source::new(self, &x)?;
        let is_text = x.dtype == Dtype::Character;
        let mut result = self.reserve(x.dtype, x.len, is_text)?;
        let names = match names_of(&x)? {
            Some((from, start)) => {
                let to = self.reserve(Dtype::Character, x.len, true)?;
                self.set_attributes(&mut result, &[Change::Child(Role::Names, Some(&to))])?;
                Some(Names { from, start, to: Vector::Object(to) })
            }
            None => None,
        };
        let way = if is_text || x.dtype == Dtype::Complex || names.is_some() {
            Way::Picked(Box::new(Picking { positions: self.reserve(Dtype::Numeric, x.len, false)?, names }))
        } else {
            Way::Elements
        };
        OrderingWork::new(source, way, result)
    }

    /// R's `unique(x)`: the elements of `x` that differ from all before them, as a temporary without attributes. NA and NaN are two, zeros of both
    /// signs one; a complex number is NA or NaN if one of its parts is.
    ///
    /// # Errors
    /// `TYPE` (bad-type: lists, frames); else as [`Store::order`].
    pub fn unique(&self, ctx: &Context<'_>, x: Given<'_>) -> Result<Handle> {
        let x = Input::new(x)?;
        if x.dtype == Dtype::List {
            return Err(
                Error::new(Code::Type, "unique() applies only to vectors of elements").with(KIND, "bad-type")
            );
        }
        let source = Source::new(self, &x)?;
        if x.dtype == Dtype::Character {
            let range = (source.start, source.len);
            let seen = ordering::unique_texts(ctx, Limits::default(), &source.vector, range)?;
            return gather_texts(self, &source.vector, &seen.ok_or_else(cancelled)?);
        }
        let seen = ordering::unique_plain(ctx, Limits::default(), x.dtype, source.span(), x.len)?;
        let seen = seen.ok_or_else(cancelled)?;
        let out = self.reserve(x.dtype, seen.len(), false)?;
        if let Some(writing) = writing(&out)? {
            let missing = select::missing_element(x.dtype);
            select::gather(source.span(), x.dtype.width(), &seen, &missing, writing.span())?;
            wrote(&writing)?;
        }
        source.check()?;
        Ok(out)
    }

    /// R's `which(x)`: the positions, from 0, at which a logical vector is TRUE, as a temporary of doubles with the names of those elements.
    ///
    /// # Errors
    /// `TYPE` (bad-type): not logical; else as [`Store::order`].
    pub fn which(&self, ctx: &Context<'_>, x: Given<'_>) -> Result<Handle> {
        let x = Input::new(x)?;
        if x.dtype != Dtype::Logical {
            return Err(Error::new(Code::Type, "argument to 'which' is not logical").with(KIND, "bad-type"));
        }
        let source = Source::new(self, &x)?;
        let counts = ordering::count_true(ctx, source.span(), x.len).ok_or_else(cancelled)?;
        let mut out = self.reserve(Dtype::Numeric, counts.iter().sum(), false)?;
        let Some(writing) = writing(&out)? else {
            source.check()?;
            return Ok(out);
        };
        ordering::which(ctx, source.span(), x.len, &counts, writing.span()).ok_or_else(cancelled)?;
        wrote(&writing)?;
        source.check()?;
        if let Some((names, start)) = names_of(&x)? {
            let picked = gather_texts(self, &names, &Places { span: writing.span(), base: start })?;
            drop(writing);
            self.set_attributes(&mut out, &[Change::Child(Role::Names, Some(&picked))])?;
        }
        Ok(out)
    }
}

impl OrderingWork {
    fn new(source: Source, way: Way, result: Handle) -> Result<Self> {
        let amount = Amount { units: source.len, nbytes: Some(source.len * source.dtype().width()) };
        let target = if let Way::Picked(picking) = &way { &picking.positions } else { &result };
        let writing = writing(target)?;
        let held = Some(Held { source, writing });
        Ok(Self { amount, held, way, result: Vector::Object(result), is_done: false })
    }

    /// The result; of work that has run.
    ///
    /// # Errors
    /// `ARGUMENT`: it has not run, or was cancelled.
    pub fn finish(self) -> Result<Handle> {
        if !self.is_done {
            let what = "the ordering has not run to its end: it was cancelled, or never started";
            return Err(Error::new(Code::Argument, what));
        }
        self.result.into_object()
    }

    fn carry_out(&self, ctx: &Context<'_>, held: &Held) -> Result<Option<()>> {
        let Held { source, writing } = held;
        let Some(writing) = writing else { return Ok(Some(())) };
        let done = match self.way {
            Way::Elements => ordering::sort(
                ctx,
                Limits::default(),
                source.dtype(),
                source.span(),
                source.len,
                writing.span(),
            ),
            _ => source.order(ctx, writing.span())?,
        };
        if done.is_none() {
            return Ok(None);
        }
        wrote(writing)?;
        let Way::Picked(picking) = &self.way else { return Ok(Some(())) };
        let positions = writing.span();
        if let Some(Names { from, start, to }) = &picking.names
            && pick_texts(ctx, from, &Places { span: positions, base: *start }, to)?.is_none()
        {
            return Ok(None);
        }
        if source.dtype() == Dtype::Character {
            let places = Places { span: positions, base: source.start };
            return pick_texts(ctx, &source.vector, &places, &self.result);
        }
        pick(ctx, source, positions, &self.result)
    }
}

impl Work for OrderingWork {
    fn amount(&self) -> Amount {
        self.amount
    }

    fn run(&mut self, ctx: &Context<'_>) -> Result<bool> {
        let Some(held) = self.held.take() else { return Ok(self.is_done) };
        let is_closing =
            || held.source.guard.is_closing() || held.writing.as_ref().is_some_and(Operation::is_closing);
        let done = run_held(ctx, is_closing, |ctx| self.carry_out(ctx, &held))?;
        held.source.check()?;
        self.is_done = done.is_some();
        Ok(self.is_done)
    }
}

/// Positions as doubles in memory, counted from an element on.
struct Places {
    span: Span,
    base: u64,
}

impl Runs for Places {
    fn len(&self) -> u64 {
        self.span.nbytes() / 8
    }

    fn each(&self, f: &mut Receiver<'_>) -> Result<()> {
        let (mut reals, mut at) = (vec![0.0; BLOCK as usize], 0);
        let mut positions = Vec::with_capacity(BLOCK as usize);
        while at < self.len() {
            let n = BLOCK.min(self.len() - at) as usize;
            self.span.load(at, &mut reals[..n]);
            positions.clear();
            positions.extend(reals[..n].iter().map(|x| self.base + *x as u64));
            f(Run::At(&positions))?;
            at += n as u64;
        }
        Ok(())
    }
}

/// Writes the strings at these places to the start of `to`. None if it was cancelled.
fn pick_texts(ctx: &Context<'_>, from: &Vector, places: &Places, to: &Vector) -> Result<Option<()>> {
    let (mut at, mut is_cancelled) = (0, false);
    places.each(&mut |run| {
        is_cancelled |= ctx.watch.is_cancelled();
        if let (Run::At(positions), false) = (run, is_cancelled) {
            to.write_strings(at, &from.strings_at(positions)?)?;
            at += positions.len() as u64;
        }
        Ok(())
    })?;
    Ok((!is_cancelled).then_some(()))
}

/// Copies the elements at these positions to the start of a result. None if it was cancelled.
fn pick(ctx: &Context<'_>, source: &Source, positions: Span, to: &Vector) -> Result<Option<()>> {
    let Vector::Object(to) = to else { return Ok(Some(())) };
    let Some(writing) = writing(to)? else { return Ok(Some(())) };
    let (x, out, width) = (source.span(), writing.span(), source.dtype().width());
    let missing = select::missing_element(source.dtype());
    let quiet = ordering::Quiet(ctx.watch);
    let ctx = Context { watch: &quiet, ..*ctx };
    let copied = ctx.chunks(
        source.len,
        || (),
        |(), range| {
            let part =
                Places { span: positions.part(8 * range.start, 8 * (range.end - range.start)), base: 0 };
            let room = out.part(width * range.start, width * part.len());
            select::gather(x, width, &part, &missing, room)
        },
    );
    let Some(copied) = copied else { return Ok(None) };
    copied.into_iter().collect::<Result<()>>()?;
    wrote(&writing)?;
    Ok(Some(()))
}

/// Holds a result for writing, if it has elements.
fn writing(result: &Handle) -> Result<Option<Operation>> {
    (result.facts().len > 0).then(|| result.begin_writing()).transpose()
}

/// After the last write.
fn wrote(writing: &Operation) -> Result<()> {
    let nbytes = writing.span().nbytes();
    writing.wrote(0, nbytes);
    writing.check(0, nbytes)
}

/// The names that elements go by, and the place of the first: of an array with one dimension its dimnames, of one with several none.
fn names_of(x: &Input<'_>) -> Result<Option<(Vector, u64)>> {
    let a = &x.attributes;
    let role = match a.dim.len() {
        0 if a.has_names => Role::Names,
        1 if a.has_dimnames.first() == Some(&true) => Role::Dimnames(0),
        _ => return Ok(None),
    };
    let Some((names, start)) = x.names(role)? else { return Ok(None) };
    Ok(Some((own_vector(names.vector())?, start)))
}

fn cancelled() -> Error {
    Error::new(Code::Argument, "the operation was cancelled")
}
