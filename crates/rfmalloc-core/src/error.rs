//! The one error type of the crate and the one place where error codes are spelt.
//!
//! Holds: [`Code`], [`Error`], [`Result`]. May touch: nothing else. Every error says what, where (in `details`: offsets, ids,
//! names) and what to do; the code string is what JavaScript sees as `error.code`.

use std::ffi::CStr;
use std::fmt::{self, Write};

/// What went wrong, as a caller may test for it. The numbers are those of `include/rfmalloc.h`: none is ever given to another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// A wrong argument: path, length, option, name.
    Argument = 1,
    /// The object has another type than asked for, or the type is unknown.
    Type = 2,
    /// A value that the element type cannot hold exactly.
    Value = 3,
    /// An element index outside the vector.
    OutOfBounds = 4,
    /// A length that does not fit (e.g. a file that is no multiple of the element).
    Length = 5,
    /// Not there yet, or not on this platform.
    Unsupported = 6,
    /// The store is closed.
    Closed = 7,
    /// The object was destroyed.
    Destroyed = 8,
    /// The object is in use by a running operation, or held by a list or frame.
    Busy = 9,
    /// The store was opened read-only.
    ReadOnly = 10,
    /// The object is sealed: its elements are immutable.
    Sealed = 11,
    /// The name is taken.
    Exists = 12,
    /// No such file or name.
    NotFound = 13,
    /// The file is open, or was made, in another mode.
    Mode = 14,
    /// Another process holds the file.
    Locked = 15,
    /// The reference names an object that no longer exists.
    StaleRef = 16,
    /// The object belongs to another store.
    OtherStore = 17,
    /// A file without our magic.
    NotAStore = 18,
    /// Bytes on disk that contradict themselves.
    Corrupt = 19,
    /// The file is shorter than its superblock says.
    Truncated = 20,
    /// The file was written in another format version.
    Version = 21,
    /// The disk, the quota or the store's limit is exhausted.
    NoSpace = 22,
    /// More than one buffer or address space can hold.
    TooLarge = 23,
    /// The system refused an operation on the file.
    Io = 24,
    /// A sync failed earlier: the store no longer accepts changes.
    Poisoned = 25,
    /// A subscript of the wrong kind, or subscripts that do not go together.
    Subscript = 26,
    /// An operand that arithmetic does not take: text, raw.
    NonNumeric = 27,
    /// Arrays whose shapes do not go together.
    NonConformable = 28,
    /// Extents or dimnames that do not fit.
    Dim = 29,
    /// An operation that complex numbers do not have.
    Complex = 30,
    /// A list that would hold itself.
    Cycle = 31,
    /// Text that is no valid Unicode.
    Encoding = 32,
    /// The runtime refuses external buffers.
    NoExternal = 33,
    /// A panic or an impossible state: a bug.
    Internal = 34,
}

impl Code {
    /// Every code, for tests that compare with the TypeScript union.
    pub const ALL: [Self; 34] = [
        Self::Argument,
        Self::Type,
        Self::Value,
        Self::OutOfBounds,
        Self::Length,
        Self::Unsupported,
        Self::Closed,
        Self::Destroyed,
        Self::Busy,
        Self::ReadOnly,
        Self::Sealed,
        Self::Exists,
        Self::NotFound,
        Self::Mode,
        Self::Locked,
        Self::StaleRef,
        Self::OtherStore,
        Self::NotAStore,
        Self::Corrupt,
        Self::Truncated,
        Self::Version,
        Self::NoSpace,
        Self::TooLarge,
        Self::Io,
        Self::Poisoned,
        Self::Subscript,
        Self::NonNumeric,
        Self::NonConformable,
        Self::Dim,
        Self::Complex,
        Self::Cycle,
        Self::Encoding,
        Self::NoExternal,
        Self::Internal,
    ];

    /// The string JavaScript sees as `error.code`.
    ///
    /// ```
    /// assert_eq!(rfmalloc_core::Code::NoSpace.as_str(), "ERR_FMALLOC_NO_SPACE");
    /// ```
    pub fn as_str(self) -> &'static str {
        self.as_c_str().to_str().unwrap_or_default()
    }

    /// The same for C.
    pub fn as_c_str(self) -> &'static CStr {
        match self {
            Self::Argument => c"ERR_FMALLOC_ARGUMENT",
            Self::Type => c"ERR_FMALLOC_TYPE",
            Self::Value => c"ERR_FMALLOC_VALUE",
            Self::OutOfBounds => c"ERR_FMALLOC_OUT_OF_BOUNDS",
            Self::Length => c"ERR_FMALLOC_LENGTH",
            Self::Unsupported => c"ERR_FMALLOC_UNSUPPORTED",
            Self::Closed => c"ERR_FMALLOC_CLOSED",
            Self::Destroyed => c"ERR_FMALLOC_DESTROYED",
            Self::Busy => c"ERR_FMALLOC_BUSY",
            Self::ReadOnly => c"ERR_FMALLOC_READ_ONLY",
            Self::Sealed => c"ERR_FMALLOC_SEALED",
            Self::Exists => c"ERR_FMALLOC_EXISTS",
            Self::NotFound => c"ERR_FMALLOC_NOT_FOUND",
            Self::Mode => c"ERR_FMALLOC_MODE",
            Self::Locked => c"ERR_FMALLOC_LOCKED",
            Self::StaleRef => c"ERR_FMALLOC_STALE_REF",
            Self::OtherStore => c"ERR_FMALLOC_OTHER_STORE",
            Self::NotAStore => c"ERR_FMALLOC_NOT_A_STORE",
            Self::Corrupt => c"ERR_FMALLOC_CORRUPT",
            Self::Truncated => c"ERR_FMALLOC_TRUNCATED",
            Self::Version => c"ERR_FMALLOC_VERSION",
            Self::NoSpace => c"ERR_FMALLOC_NO_SPACE",
            Self::TooLarge => c"ERR_FMALLOC_TOO_LARGE",
            Self::Io => c"ERR_FMALLOC_IO",
            Self::Poisoned => c"ERR_FMALLOC_POISONED",
            Self::Subscript => c"ERR_FMALLOC_SUBSCRIPT",
            Self::NonNumeric => c"ERR_FMALLOC_NON_NUMERIC",
            Self::NonConformable => c"ERR_FMALLOC_NON_CONFORMABLE",
            Self::Dim => c"ERR_FMALLOC_DIM",
            Self::Complex => c"ERR_FMALLOC_COMPLEX",
            Self::Cycle => c"ERR_FMALLOC_CYCLE",
            Self::Encoding => c"ERR_FMALLOC_ENCODING",
            Self::NoExternal => c"ERR_FMALLOC_NO_EXTERNAL",
            Self::Internal => c"ERR_FMALLOC_INTERNAL",
        }
    }
}

/// One value of an error's details.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// A count, an offset or a length in bytes.
    Number(u64),
    /// A path, a name, an operation.
    Text(String),
}

impl From<u64> for Detail {
    fn from(n: u64) -> Self {
        Self::Number(n)
    }
}
impl From<u32> for Detail {
    fn from(n: u32) -> Self {
        Self::Number(u64::from(n))
    }
}
impl From<usize> for Detail {
    fn from(n: usize) -> Self {
        Self::Number(n as u64)
    }
}
impl From<&str> for Detail {
    fn from(s: &str) -> Self {
        Self::Text(s.to_owned())
    }
}
impl From<String> for Detail {
    fn from(s: String) -> Self {
        Self::Text(s)
    }
}

/// An error: code, a message for people, and details for programs.
#[derive(Clone, Debug)]
pub struct Error {
    code: Code,
    message: String,
    details: Vec<(&'static str, Detail)>,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with a message and no details yet.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    /// Adds one detail.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Detail>) -> Self {
        self.details.push((key, value.into()));
        self
    }

    /// Damage in the file: what, at which byte offset.
    pub fn corrupt(what: impl fmt::Display, off: u64) -> Self {
        Self::new(Code::Corrupt, format!("{what} (at byte {off} of the file); the file was left as it is"))
            .with("offset", off)
    }

    /// A failed system call on a file: `doing` names the act ("cannot sync"); what the system said and what to do are added.
    pub fn io(doing: impl fmt::Display, e: &std::io::Error) -> Self {
        let (code, remedy) = match e.raw_os_error() {
            Some(libc::ENOSPC) => (Code::NoSpace, "free space on the disk, or destroy objects and sync()"),
            Some(libc::EDQUOT) => {
                (Code::NoSpace, "the quota is used up: have it raised, or destroy objects and sync()")
            }
            Some(libc::EFBIG) => (
                Code::NoSpace,
                "the process may not make files that large: raise the limit (ulimit -f), or destroy objects and sync()",
            ),
            Some(libc::EMFILE | libc::ENFILE) => {
                (Code::Io, "too many files are open: close some, or raise the limit (ulimit -n)")
            }
            Some(libc::ENOMEM | libc::EAGAIN) => {
                (Code::Io, "memory or mappings are short: close other stores, or raise vm.max_map_count")
            }
            Some(libc::EACCES | libc::EPERM | libc::EROFS) => {
                (Code::Io, "check the permissions of the file and its folder, or open it with readOnly")
            }
            Some(libc::EIO | libc::ENXIO) => {
                (Code::Io, "the device failed: look into the system's log, and have a copy")
            }
            Some(libc::ENOLCK | libc::EOPNOTSUPP) => {
                (Code::Io, "the file system cannot do what a store needs: put the file on a local disk")
            }
            _ => (Code::Io, "try again; if it lasts, check the file system"),
        };
        let err = Self::new(code, format!("{doing}: {e}; {remedy}"));
        match e.raw_os_error() {
            Some(errno) => err.with("errno", errno as u32),
            None => err,
        }
    }

    /// Names the file, if nothing has named one yet.
    #[must_use]
    pub(crate) fn at(self, path: &std::path::Path) -> Self {
        if self.details.iter().any(|(key, _)| *key == "path") {
            return self;
        }
        self.with("path", path.display().to_string())
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message, without the code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// As many of the details as one JSON object of `most_nbytes` bytes can hold, in the order they were added; none: `{}`.
    pub fn details_json(&self, most_nbytes: usize) -> String {
        let mut out = String::from("{");
        for (key, value) in &self.details {
            let before = out.len();
            let separator = if before > 1 { "," } else { "" };
            let _ = match value {
                Detail::Number(n) => write!(out, "{separator}\"{key}\":{n}"),
                Detail::Text(s) => write!(out, "{separator}\"{key}\":{}", json_string(s)),
            };
            if out.len() >= most_nbytes {
                out.truncate(before);
            }
        }
        out.push('}');
        out
    }

    /// The details in the order they were added.
    pub fn details(&self) -> &[(&'static str, Detail)] {
        &self.details
    }
}

fn json_string(s: &str) -> String {
    let mut out = String::from("\"");
    for c in s.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}
