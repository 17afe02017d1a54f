//! Operands as the facade writes them: a record of numbers for each.

use crate::compute::{Deliver, Running, start};
use crate::error::{Result, bad_argument, whole};
use crate::object::{is_pressed, post_new};
use crate::task::Control;
use crate::thread;
use napi::bindgen_prelude::AsyncTask;
use rfmalloc_core::compute::{Context, Isa, Scalar, Unwatched};
use rfmalloc_core::{Code, Dtype, Error, Given, Handle, Piece, Store, Vector, Warnings, Work};
use std::sync::Arc;

/// Numbers of a record: what it is; a value (of a complex number the imaginary part in place of the names' token), or token, start and
/// length; token of the names (−1: none) and where they start, or of columns of a matrix how many they and the rows are.
pub(crate) const RECORD: usize = 6;

/// What a record of consecutive columns of a matrix is.
const COLUMNS: f64 = 5.0;

/// Operands whose tokens are known.
pub(crate) struct Operands {
    records: Vec<[f64; RECORD]>,
    /// Of the vectors, then of their names.
    tokens: Vec<i32>,
}

fn token(number: f64) -> i32 {
    if number >= 0.0 { number as i32 } else { -1 }
}

impl Operands {
    pub(crate) fn new(numbers: &[f64]) -> Self {
        let records: Vec<[f64; RECORD]> = numbers.as_chunks().0.to_vec();
        let mut tokens = Vec::with_capacity(2 * records.len());
        for r in &records {
            let is_vector = r[0] == 0.0;
            tokens.push(if is_vector || r[0] == COLUMNS { token(r[1]) } else { -1 });
            tokens.push(if is_vector { token(r[4]) } else { -1 });
        }
        Self { records, tokens }
    }

    /// Runs `f` with an open store and the operands.
    pub(crate) fn run<T>(
        &self,
        store: u32,
        f: impl FnOnce(&Store, &[Given<'_>]) -> rfmalloc_core::Result<T>,
    ) -> Result<T> {
        let places = self.records.iter().map(|r| Ok((whole(r[2], "start")?, whole(r[3], "length")?)));
        let places = places.collect::<Result<Vec<_>>>()?;
        thread::vectors_of(store, &self.tokens, |s, vectors| {
            let all = self.records.iter().zip(&places).zip(vectors.chunks_exact(2));
            let all = all.map(|((r, place), held)| given(r, *place, held));
            f(s, &all.collect::<rfmalloc_core::Result<Vec<_>>>()?)
        })
    }

    /// Runs work with them at once; its result ends up in the mailbox. R's warnings as bits.
    pub(crate) fn complete<W: Work>(
        &self,
        store: u32,
        threads: u32,
        begin: impl FnOnce(&Store, &[Given<'_>]) -> rfmalloc_core::Result<W>,
        finish: impl FnOnce(W) -> rfmalloc_core::Result<(Handle, Warnings)>,
    ) -> Result<u32> {
        let ctx = context(threads)?;
        let (made, pressure, warnings) = self.run(store, |s, given| {
            let mut work = begin(s, given)?;
            work.run(&ctx)?;
            let (made, warnings) = finish(work)?;
            Ok((made, is_pressed(s), warnings.bits()))
        })?;
        post_new(store, made, pressure);
        Ok(warnings)
    }

    /// Begins with them, in an open store, what then runs off the event loop: see [`compute`](crate::compute).
    pub(crate) fn begin<W: Deliver>(
        &self,
        store: u32,
        control: &Arc<Control>,
        threads: u32,
        begin: impl FnOnce(&Store, &[Given<'_>]) -> rfmalloc_core::Result<W>,
    ) -> Result<AsyncTask<Running<W>>> {
        let work = self.run(store, begin)?;
        let mut stores = vec![store];
        for token in self.tokens.iter().filter_map(|token| u32::try_from(*token).ok()) {
            let of = thread::store_of(token);
            if of != 0 && !stores.contains(&of) {
                stores.push(of);
            }
        }
        start(work, stores, control, threads)
    }
}

fn given<'a>(
    r: &[f64; RECORD],
    (start, len): (u64, u64),
    held: &[Option<&'a Vector>],
) -> rfmalloc_core::Result<Given<'a>> {
    Ok(match r[0] as u8 {
        kind @ (0 | 5) => {
            let vector = held.first().copied().flatten();
            let vector = vector.ok_or_else(|| Error::new(Code::Argument, "an operand without its vector"))?;
            let names = held[1].map(|names| (names, r[5] as u64));
            let columns = (kind == 5).then_some([r[5] as u64, r[4] as u64]);
            Given::Piece(Piece { vector, start, len, names, columns })
        }
        1 => Given::Value(Dtype::Logical, Scalar::Int(r[1] as i32)),
        2 => Given::Value(Dtype::Integer, Scalar::Int(r[1] as i32)),
        3 => Given::Value(Dtype::Numeric, Scalar::Real(r[1])),
        4 => Given::Value(Dtype::Complex, Scalar::Complex([r[1], r[4]])),
        _ => return Err(Error::new(Code::Argument, "no such kind of operand")),
    })
}

/// How an operation of the event loop's thread is run.
pub(crate) fn context(threads: u32) -> Result<Context<'static>> {
    if threads == 0 {
        return Err(bad_argument("an operation needs a thread"));
    }
    Ok(Context { isa: Isa::chosen(), threads: threads as usize, watch: &Unwatched })
}
