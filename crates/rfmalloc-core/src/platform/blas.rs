//! The user's own matrix kernel: a BLAS opened by `dlopen` when the user names it, never required and never looked for.
//!
//! Holds the libraries opened so far (they stay open: many have threads that could not be unloaded) and which one is chosen, for the whole
//! process. Unsafe because the address of `dgemm` says nothing of its type: before a library is accepted it must multiply small matrices rightly.
//! Integers go as 64-bit ones, whose low half is what a library with 32-bit integers reads (the layers above are little-endian only).

use crate::error::{Code, Error, Result};
use crate::region::{Cells, Span, Strided};
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of the kernel that is built in.
pub(crate) const BUILT_IN: &str = "blas";

/// `dgemm` as Fortran calls it; the last two are the lengths of the first two.
type Dgemm = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const i64,
    *const i64,
    *const i64,
    *const f64,
    *const f64,
    *const i64,
    *const f64,
    *const i64,
    *const f64,
    *mut f64,
    *const i64,
    usize,
    usize,
);

/// An opened library.
pub(crate) struct Blas {
    name: String,
    dgemm: Dgemm,
}

#[derive(Default)]
struct Libraries {
    opened: Vec<Arc<Blas>>,
    chosen: Option<Arc<Blas>>,
}

fn libraries() -> MutexGuard<'static, Libraries> {
    static LIBRARIES: Mutex<Libraries> = Mutex::new(Libraries { opened: Vec::new(), chosen: None });
    LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The chosen library; none: the built-in kernel.
pub(crate) fn chosen() -> Option<Arc<Blas>> {
    libraries().chosen.clone()
}

/// Names of the built-in kernel and of the libraries opened so far.
pub(crate) fn names() -> Vec<String> {
    let opened = libraries().opened.iter().map(|blas| blas.name.clone()).collect::<Vec<_>>();
    std::iter::once(BUILT_IN.to_owned()).chain(opened).collect()
}

/// Chooses by name: the built-in kernel, or a library by its path or as the system's loader finds it.
///
/// # Errors
/// `NOT_FOUND` if there is no such library or it has no `dgemm`, `UNSUPPORTED` if its `dgemm` does not multiply; the choice stays as it was.
pub(crate) fn choose(name: &str) -> Result<()> {
    if name.is_empty() || name == BUILT_IN {
        libraries().chosen = None;
        return Ok(());
    }
    let known = libraries().opened.iter().find(|blas| blas.name == name).cloned();
    let blas = match known {
        Some(blas) => blas,
        None => Arc::new(Blas::open(name)?),
    };
    let mut libraries = libraries();
    if !libraries.opened.iter().any(|known| known.name == name) {
        libraries.opened.push(Arc::clone(&blas));
    }
    libraries.chosen = Some(blas);
    Ok(())
}

fn refused(code: Code, name: &str, why: impl std::fmt::Display) -> Error {
    let known = names().join(", ");
    Error::new(code, format!("unknown matmul backend '{name}': {why}; known: {known}"))
        .with("backend", name)
        .with("known", known)
}

/// What `dlopen` or `dlsym` said last.
fn last_error() -> String {
    // SAFETY: `dlerror` gives none or a NUL-terminated text that lives until this thread's next call of the loader.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            "not found".to_owned()
        } else {
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}

impl Blas {
    fn open(name: &str) -> Result<Self> {
        let path = CString::new(name).map_err(|_| refused(Code::NotFound, "?", "its name holds a NUL"))?;
        // SAFETY: the path is NUL-terminated. The library's own initialisers run: the user asked for this library.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            return Err(refused(Code::NotFound, name, last_error()));
        }
        // Suffixed where a library has 64-bit integers.
        let symbol = [c"dgemm_64_", c"dgemm_"].into_iter().find_map(|symbol| {
            // SAFETY: the library is open and the name NUL-terminated.
            let at: *mut c_void = unsafe { libc::dlsym(library, symbol.as_ptr()) };
            (!at.is_null()).then_some(at)
        });
        let Some(symbol) = symbol else {
            // SAFETY: the handle is open and nothing of the library is used.
            unsafe { libc::dlclose(library) };
            return Err(refused(Code::NotFound, name, "it has no dgemm"));
        };
        // SAFETY: a symbol of this name is BLAS's `dgemm`, whose type is the same in every implementation but for the width of its integers (see
        // the module); that it multiplies is tested before it is used.
        let dgemm = unsafe { std::mem::transmute::<*mut c_void, Dgemm>(symbol) };
        let blas = Self { name: name.to_owned(), dgemm };
        if blas.multiplies() {
            Ok(blas)
        } else {
            Err(refused(Code::Unsupported, name, "its dgemm does not multiply"))
        }
    }

    /// Its name, as the user gave it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it gives the products of small whole numbers, transposed and not, set and added.
    fn multiplies(&self) -> bool {
        let (rows, inner, cols) = (3, 2, 4);
        let a: Vec<f64> = (0..6).map(|i| f64::from(i) - 2.0).collect();
        let b: Vec<f64> = (0..8).map(|i| f64::from(i * i) - 9.0).collect();
        let strides = |rows, cols, turned| if turned { (cols, 1) } else { (1, rows) };
        [false, true].into_iter().all(|add| {
            [(false, false), (false, true), (true, false), (true, true)].into_iter().all(|(ta, tb)| {
                let ((ad, ar), (bd, br)) = (strides(rows, inner, ta), strides(inner, cols, tb));
                let mut out = vec![1.0; rows * cols];
                let x = Span::foreign(out.as_mut_ptr().cast(), 8 * (rows * cols) as u64, true);
                let done = self.multiply(
                    Cells { x, first: 0, stride: rows },
                    Strided { x: (&a[..]).into(), down: ad, right: ar },
                    Strided { x: (&b[..]).into(), down: bd, right: br },
                    [rows, inner, cols],
                    add,
                );
                let want = |i: usize, j: usize| {
                    let term = |p: usize| a[i * ad + p * ar] * b[p * bd + j * br];
                    (0..inner).map(term).sum::<f64>() + if add { 1.0 } else { 0.0 }
                };
                done && (0..rows * cols).all(|at| out[at] == want(at % rows, at / rows))
            })
        })
    }

    /// `out` becomes `a` times `b`, or has it added. False, and nothing done, for a shape that BLAS does not take.
    pub(crate) fn multiply(
        &self,
        out: Cells,
        a: Strided<'_, f64>,
        b: Strided<'_, f64>,
        [rows, inner, cols]: [usize; 3],
        add: bool,
    ) -> bool {
        let whole = |n: usize| i32::try_from(n).ok().map(i64::from);
        // How a side is told: whether it is transposed, and the distance between its columns as stored.
        let told = |down: usize, right: usize, rows: usize, cols: usize| match (down, right) {
            (1, _) => whole(right.max(rows)).map(|ld| (b'N', ld)),
            (_, 1) => whole(down.max(cols)).map(|ld| (b'T', ld)),
            _ => None,
        };
        let (Some((ta, lda)), Some((tb, ldb))) =
            (told(a.down, a.right, rows, inner), told(b.down, b.right, inner, cols))
        else {
            return false;
        };
        let n = [whole(rows), whole(cols), whole(inner), whole(out.stride.max(rows))];
        let ([Some(m), Some(n), Some(k), Some(ldc)], Some(cell)) = (n, out.place::<f64>(rows, cols)) else {
            return false;
        };
        if !a.holds(rows, inner) || !b.holds(inner, cols) {
            return false;
        }
        let (alpha, beta) = (1.0, if add { 1.0 } else { 0.0 });
        // SAFETY: 1. every element that is read lies inside its matrix (`holds`), every cell written inside `out`, which is the caller's alone
        // (`place`); 2. the leading dimensions are the strides of those checks; 3. all pointers outlive the call.
        unsafe {
            (self.dgemm)(
                (&raw const ta).cast(),
                (&raw const tb).cast(),
                &raw const m,
                &raw const n,
                &raw const k,
                &raw const alpha,
                a.x.as_ptr(),
                &raw const lda,
                b.x.as_ptr(),
                &raw const ldb,
                &raw const beta,
                cell,
                &raw const ldc,
                1,
                1,
            );
        }
        true
    }
}
