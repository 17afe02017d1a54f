//! Files that once failed, as text: the story, the mode, the length, and the bytes that are not zero. Small, readable, diffable.

use crate::image::Image;
use rfmalloc_core::Mode;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// A file of the corpus.
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The file.
    pub image: Image,
    /// How it is opened.
    pub mode: Mode,
}

/// The text of a file.
#[must_use]
pub fn to_text(story: &str, image: &Image, mode: Mode) -> String {
    let mut out = String::new();
    for line in story.lines() {
        let _ = writeln!(out, "# {line}");
    }
    let _ = writeln!(out, "mode {}\nlen {}", mode.name(), image.len);
    for (i, chunk) in image.bytes.chunks(32).enumerate() {
        if chunk.iter().any(|b| *b != 0) {
            let _ = write!(out, "{:x} ", i * 32);
            let used = chunk.iter().rposition(|b| *b != 0).map_or(0, |n| n + 1);
            for b in &chunk[..used] {
                let _ = write!(out, "{b:02x}");
            }
            out.push('\n');
        }
    }
    out
}

/// The file of a text; `None`: the text is not of this form.
#[must_use]
pub fn from_text(text: &str) -> Option<(Image, Mode)> {
    let mut mode = Mode::Persistent;
    let mut image = Image { bytes: Vec::new(), len: 0, sparse: false };
    for line in text.lines() {
        match line.split_once(' ')? {
            ("#", _) => {}
            ("mode", m) => mode = if m == "scratch" { Mode::Scratch } else { Mode::Persistent },
            ("len", n) => image.len = n.parse().ok()?,
            (off, hex) => {
                let off = usize::from_str_radix(off, 16).ok()?;
                let byte = |i: usize| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok();
                let bytes = (0..hex.len() / 2).map(byte).collect::<Option<Vec<u8>>>()?;
                if image.bytes.len() < off + bytes.len() {
                    image.bytes.resize(off + bytes.len(), 0);
                }
                image.bytes[off..off + bytes.len()].copy_from_slice(&bytes);
            }
        }
    }
    (image.bytes.len() as u64 <= image.len).then_some((image, mode))
}

/// All files of a folder, by name.
///
/// # Errors
/// The folder cannot be read, or a file is not of this form.
pub fn load(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut list = Vec::new();
    for file in std::fs::read_dir(dir)? {
        let path = file?.path();
        if path.extension().is_none_or(|e| e != "txt") {
            continue;
        }
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let (image, mode) = from_text(&std::fs::read_to_string(&path)?)
            .ok_or_else(|| io::Error::other(format!("{} is no file of the corpus", path.display())))?;
        list.push(Entry { name, image, mode });
    }
    list.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(list)
}
