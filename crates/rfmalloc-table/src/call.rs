//! One call from C: arguments are read and checked, results handed over, errors told, panics caught.

use crate::abi::{DETAILS, ErrorOut, MESSAGE, NUL_TERMINATED, Sized32, Text};
use rfmalloc_core::{Code, Error, Result, Strings};
use std::any::Any;
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr;

/// The last parameter of every function that can fail.
pub(crate) type Err<'a> = Option<&'a mut MaybeUninit<ErrorOut>>;

/// Runs the body of a function: its error, or its panic, becomes a code, and text for who wants it.
pub(crate) fn run(err: Err<'_>, body: impl FnOnce() -> Result<()>) -> c_int {
    // What a panic leaves behind is the core's business: its structures change in whole steps.
    let done = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(bug(panic.as_ref())));
    let code = done.as_ref().err().map_or(0, |e| e.code() as i32);
    if let Some(out) = err {
        tell(out, code, done.err().as_ref());
    }
    code
}

/// The same for functions that cannot fail and return nothing: a panic is a bug that nobody can be told of.
pub(crate) fn quietly(body: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(body));
}

fn bug(panic: &(dyn Any + Send)) -> Error {
    let what = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Error::new(Code::Internal, format!("a bug of the library: {what}; please report it"))
}

fn tell(out: &mut MaybeUninit<ErrorOut>, code: i32, e: Option<&Error>) {
    let (message, details) = ([MaybeUninit::uninit(); MESSAGE], [MaybeUninit::uninit(); DETAILS]);
    let out = out.write(ErrorOut { code, reserved: 0, message, details });
    put_text(&mut out.message, e.map_or("", Error::message));
    put_text(&mut out.details, &e.map_or(String::new(), |e| e.details_json(DETAILS - 1)));
}

/// Text into an array, cut between characters where it does not fit, with NUL behind it. NUL inside would hide the rest.
fn put_text(out: &mut [MaybeUninit<u8>], text: &str) {
    let most = text.len().min(out.len() - 1);
    let end = (0..=most).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    for (to, from) in out.iter_mut().zip(text[..end].bytes()) {
        to.write(if from == 0 { b' ' } else { from });
    }
    out[end].write(0);
}

/// A pointer that must not be null.
pub(crate) fn given<T>(pointer: Option<T>, what: &str) -> Result<T> {
    pointer.ok_or_else(|| null(what))
}

pub(crate) fn null(what: &str) -> Error {
    Error::new(Code::Argument, format!("{what} is NULL; pass a pointer"))
}

fn no_text(what: &str) -> Error {
    Error::new(Code::Encoding, format!("{what} is no UTF-8; convert it"))
}

/// Refuses flags beyond `known`.
pub(crate) fn check_flags(flags: u32, known: u32) -> Result<()> {
    match flags & !known {
        0 => Ok(()),
        more => Err(Error::new(
            Code::Unsupported,
            format!("flags {more:#x} are not known here; update rfmalloc, or leave them out"),
        )),
    }
}

/// Text up to its NUL; null: none.
pub(crate) fn optional_text<'a>(text: *const c_char, what: &str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the header asks for text that ends with NUL, readable during the call.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|_| no_text(what))
}

/// The same where it must be given.
pub(crate) fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str> {
    given(optional_text(text, what)?, what)
}

/// A path: any bytes but NUL.
pub(crate) fn path<'a>(path: *const c_char) -> Result<&'a Path> {
    if path.is_null() {
        return Err(null("path"));
    }
    // SAFETY: as in `optional_text`.
    let path = unsafe { CStr::from_ptr(path) };
    Ok(Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// `len` items at `items`.
pub(crate) fn slice<'a, T>(items: *const T, len: u64, what: &str) -> Result<&'a [T]> {
    let nbytes = len.checked_mul(size_of::<T>() as u64).filter(|n| isize::try_from(*n).is_ok());
    match (nbytes, items.is_null()) {
        (Some(0), _) => Ok(&[]),
        (Some(_), true) => Err(null(what)),
        (Some(_), false) if !items.is_aligned() => {
            Err(Error::new(Code::Argument, format!("{what} is not aligned to its elements")))
        }
        // SAFETY: the header asks for `len` items that nobody writes during the call; the length fits the address space.
        (Some(_), false) => Ok(unsafe { std::slice::from_raw_parts(items, len as usize) }),
        (None, _) => Err(Error::new(Code::Argument, format!("{what}: {len} is more than memory has"))),
    }
}

/// Texts as the core takes them.
pub(crate) fn strings(items: *const Text, len: u64, what: &str) -> Result<Strings> {
    let mut out = Strings::new();
    for (i, item) in slice(items, len, what)?.iter().enumerate() {
        if item.data.is_null() {
            out.push(None);
            continue;
        }
        let bytes = if item.nbytes == NUL_TERMINATED {
            // SAFETY: as in `optional_text`.
            unsafe { CStr::from_ptr(item.data) }.to_bytes()
        } else {
            slice(item.data.cast::<u8>(), item.nbytes, what)?
        };
        let text =
            std::str::from_utf8(bytes).map_err(|_| no_text(&format!("{what}: text {i}")).with("index", i))?;
        out.push(Some(text));
    }
    Ok(out)
}

/// A structure that begins with its size: what the caller does not know is zero.
pub(crate) fn sized<T: Sized32>(from: *const T, what: &str) -> Result<T> {
    let size = caller_size(from, what)?;
    let (known, mut out) = (size.min(size_of::<T>()), MaybeUninit::<T>::zeroed());
    // SAFETY: 1. the caller's structure has `size` bytes, the copy as many as it is long; 2. any bytes are a `T`.
    let (value, more) = unsafe {
        ptr::copy_nonoverlapping(from.cast::<u8>(), out.as_mut_ptr().cast::<u8>(), known);
        (out.assume_init(), std::slice::from_raw_parts(from.cast::<u8>().add(known), size - known))
    };
    if more.iter().any(|b| *b != 0) {
        return Err(Error::new(
            Code::Unsupported,
            format!("{what} has members that are not known here; update rfmalloc, or leave them zero"),
        ));
    }
    Ok(value)
}

/// Fills a structure that begins with its size, as far as the caller knows it; the size stays the caller's.
pub(crate) fn fill<T: Sized32>(to: *mut T, value: &T, what: &str) -> Result<()> {
    let size = caller_size(to, what)?;
    let known = size.min(size_of::<T>());
    // SAFETY: the caller's structure has `size` bytes; behind its first four, `known` are copied and the rest is zeroed.
    unsafe {
        let from = ptr::from_ref(value).cast::<u8>();
        ptr::copy_nonoverlapping(from.add(4), to.cast::<u8>().add(4), known - 4);
        to.cast::<u8>().add(known).write_bytes(0, size - known);
    }
    Ok(())
}

/// The largest structure that anybody can mean.
const MOST: usize = 4096;

/// What a structure says of its size. All are of the first version still: none can be smaller.
fn caller_size<T>(at: *const T, what: &str) -> Result<usize> {
    if at.is_null() {
        return Err(null(what));
    }
    if !at.is_aligned() {
        return Err(Error::new(Code::Argument, format!("{what} is not aligned")));
    }
    // SAFETY: the structure begins with a `u32`, and the pointer is aligned for more.
    let size = unsafe { at.cast::<u32>().read() } as usize;
    if (size_of::<T>()..=MOST).contains(&size) {
        return Ok(size);
    }
    Err(Error::new(
        Code::Argument,
        format!("{what}.size is {size}, not at least {}; begin with the _init function", size_of::<T>()),
    ))
}

/// `release_name`.
pub(crate) extern "C" fn release_name() -> *const c_char {
    const NAME: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    NAME.as_ptr().cast()
}

/// `code_name`.
pub(crate) extern "C" fn code_name(code: i32) -> *const c_char {
    if code == 0 {
        return c"OK".as_ptr();
    }
    let name = Code::ALL.into_iter().find(|known| *known as i32 == code).map(Code::as_c_str);
    name.unwrap_or(c"?").as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{DETAILS, MESSAGE};

    /// Code, message and details of what `run` tells.
    fn told(body: impl FnOnce() -> Result<()>) -> (i32, String, String) {
        let text = |bytes: &[MaybeUninit<u8>]| {
            // SAFETY: each byte is read only after `put_text` has written it, the last one being the NUL.
            let bytes = bytes.iter().map(|b| unsafe { b.assume_init() }).take_while(|b| *b != 0);
            String::from_utf8(bytes.collect()).unwrap()
        };
        let mut out = MaybeUninit::uninit();
        let code = run(Some(&mut out), body);
        // SAFETY: `run` has filled it.
        let out = unsafe { out.assume_init_ref() };
        assert_eq!(code, out.code);
        (code, text(&out.message), text(&out.details))
    }

    /// C has no way to catch a panic: one that left a function would end the process.
    #[test]
    fn a_panic_is_a_code() {
        let (code, message, details) = told(|| panic!("planted {}", 7));
        assert_eq!((code, details.as_str()), (Code::Internal as i32, "{}"));
        assert!(message.contains("planted 7"), "{message}");
        assert_eq!(run(None, || panic!("planted")), Code::Internal as i32);
        assert_eq!(told(|| std::panic::panic_any(7)).0, Code::Internal as i32);
        quietly(|| panic!("planted"));
        assert_eq!(told(|| Ok(())), (0, String::new(), String::new()));
    }

    #[test]
    fn long_text_is_cut_between_characters_and_details_between_members() {
        let long = "ä".repeat(MESSAGE);
        let (_, message, details) = told(|| {
            Err(Error::new(Code::Io, format!("a{long}"))
                .with("n", 7u64)
                .with("path", "x".repeat(DETAILS))
                .with("name", "c\n\"\\"))
        });
        assert_eq!(message.len(), MESSAGE - 1);
        assert!(message.chars().skip(1).all(|c| c == 'ä'));
        assert_eq!(details, r#"{"n":7,"name":"c\u000a\"\\"}"#);
        let full = told(|| Err(Error::new(Code::Io, "x").with("p", "x".repeat(DETAILS - 1 - 8)))).2;
        assert_eq!(full.len(), DETAILS - 1);
    }
}
