//! Core errors to JavaScript errors: `code` is the core's, the message is `text` or `text NUL {json details}`; the facade takes it apart.

use rfmalloc_core::{Code, Error};

/// The `code` property of a thrown error.
pub(crate) struct Status(&'static str);

impl AsRef<str> for Status {
    fn as_ref(&self) -> &str {
        self.0
    }
}

/// What exported functions return.
pub(crate) type Result<T> = std::result::Result<T, napi::Error<Status>>;

/// A core error as one that napi throws.
pub(crate) fn fail(e: &Error) -> napi::Error<Status> {
    napi::Error::new(Status(e.code().as_str()), reason(e))
}

/// The same for promises, whose errors cannot carry a status of ours: `CODE SOH text NUL {json}`.
pub(crate) fn reject(e: &Error) -> napi::Error {
    napi::Error::from_reason(format!("{}\u{1}{}", e.code().as_str(), reason(e)))
}

fn reason(e: &Error) -> String {
    let mut out = e.message().replace('\0', "\u{FFFD}");
    if !e.details().is_empty() {
        out.push('\0');
        out.push_str(&e.details_json(usize::MAX));
    }
    out
}

/// Shorthand for `map_err`.
pub(crate) trait OrFail<T> {
    fn or_fail(self) -> Result<T>;
}

impl<T> OrFail<T> for rfmalloc_core::Result<T> {
    fn or_fail(self) -> Result<T> {
        self.map_err(|e| fail(&e))
    }
}

/// An argument that the facade should have refused.
pub(crate) fn bad_argument(what: &str) -> napi::Error<Status> {
    fail(&Error::new(Code::Argument, what))
}

/// A JavaScript number that must be a whole number from 0 to 2^53.
pub(crate) fn whole(n: f64, what: &str) -> Result<u64> {
    if n.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&n) {
        Ok(n as u64)
    } else {
        Err(bad_argument(&format!("{what} must be a whole number from 0 to 2^53, not {n}")))
    }
}
