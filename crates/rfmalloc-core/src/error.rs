//! The one error type of the crate and the one place where error codes are spelt.
//!
//! Holds: [`Code`], [`Error`], [`Result`]. May touch: nothing else. Every error says what, where (in `details`: offsets, ids,
//! names) and what to do; the code string is what JavaScript sees as `error.code`.

use std::fmt;

/// What went wrong, as a caller may test for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// A wrong argument: path, length, option, name.
    Argument,
    /// The object has another type than asked for, or the type is unknown.
    Type,
    /// A value that the element type cannot hold exactly.
    Value,
    /// An element index outside the vector.
    OutOfBounds,
    /// A length that does not fit (e.g. a file that is no multiple of the element).
    Length,
    /// Not there yet, or not on this platform.
    Unsupported,
    /// The store is closed.
    Closed,
    /// The object was destroyed.
    Destroyed,
    /// The object is in use by a running operation, or held by a list or frame.
    Busy,
    /// The store was opened read-only.
    ReadOnly,
    /// The object is sealed: its elements are immutable.
    Sealed,
    /// The name is taken.
    Exists,
    /// No such file or name.
    NotFound,
    /// The file is open, or was made, in another mode.
    Mode,
    /// Another process holds the file.
    Locked,
    /// The reference names an object that no longer exists.
    StaleRef,
    /// The object belongs to another store.
    OtherStore,
    /// A file without our magic.
    NotAStore,
    /// Bytes on disk that contradict themselves.
    Corrupt,
    /// The file is shorter than its superblock says.
    Truncated,
    /// The file was written in another format version.
    Version,
    /// The disk, the quota or the store's limit is exhausted.
    NoSpace,
    /// More than one buffer or address space can hold.
    TooLarge,
    /// The system refused an operation on the file.
    Io,
    /// A sync failed earlier: the store no longer accepts changes.
    Poisoned,
    /// A subscript of the wrong kind, or subscripts that do not go together.
    Subscript,
    /// An operand that arithmetic does not take: text, raw.
    NonNumeric,
    /// Arrays whose shapes do not go together.
    NonConformable,
    /// Extents or dimnames that do not fit.
    Dim,
    /// An operation that complex numbers do not have.
    Complex,
    /// A list that would hold itself.
    Cycle,
    /// Text that is no valid Unicode.
    Encoding,
    /// The runtime refuses external buffers.
    NoExternal,
    /// A panic or an impossible state: a bug.
    Internal,
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
        match self {
            Self::Argument => "ERR_FMALLOC_ARGUMENT",
            Self::Type => "ERR_FMALLOC_TYPE",
            Self::Value => "ERR_FMALLOC_VALUE",
            Self::OutOfBounds => "ERR_FMALLOC_OUT_OF_BOUNDS",
            Self::Length => "ERR_FMALLOC_LENGTH",
            Self::Unsupported => "ERR_FMALLOC_UNSUPPORTED",
            Self::Closed => "ERR_FMALLOC_CLOSED",
            Self::Destroyed => "ERR_FMALLOC_DESTROYED",
            Self::Busy => "ERR_FMALLOC_BUSY",
            Self::ReadOnly => "ERR_FMALLOC_READ_ONLY",
            Self::Sealed => "ERR_FMALLOC_SEALED",
            Self::Exists => "ERR_FMALLOC_EXISTS",
            Self::NotFound => "ERR_FMALLOC_NOT_FOUND",
            Self::Mode => "ERR_FMALLOC_MODE",
            Self::Locked => "ERR_FMALLOC_LOCKED",
            Self::StaleRef => "ERR_FMALLOC_STALE_REF",
            Self::OtherStore => "ERR_FMALLOC_OTHER_STORE",
            Self::NotAStore => "ERR_FMALLOC_NOT_A_STORE",
            Self::Corrupt => "ERR_FMALLOC_CORRUPT",
            Self::Truncated => "ERR_FMALLOC_TRUNCATED",
            Self::Version => "ERR_FMALLOC_VERSION",
            Self::NoSpace => "ERR_FMALLOC_NO_SPACE",
            Self::TooLarge => "ERR_FMALLOC_TOO_LARGE",
            Self::Io => "ERR_FMALLOC_IO",
            Self::Poisoned => "ERR_FMALLOC_POISONED",
            Self::Subscript => "ERR_FMALLOC_SUBSCRIPT",
            Self::NonNumeric => "ERR_FMALLOC_NON_NUMERIC",
            Self::NonConformable => "ERR_FMALLOC_NON_CONFORMABLE",
            Self::Dim => "ERR_FMALLOC_DIM",
            Self::Complex => "ERR_FMALLOC_COMPLEX",
            Self::Cycle => "ERR_FMALLOC_CYCLE",
            Self::Encoding => "ERR_FMALLOC_ENCODING",
            Self::NoExternal => "ERR_FMALLOC_NO_EXTERNAL",
            Self::Internal => "ERR_FMALLOC_INTERNAL",
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

    /// The details in the order they were added.
    pub fn details(&self) -> &[(&'static str, Detail)] {
        &self.details
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}
