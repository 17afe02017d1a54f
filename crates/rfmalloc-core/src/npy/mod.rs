//! numpy's `.npy` files, both ways: vectors, matrices and arrays of fixed-width elements.
//!
//! `header` knows the format (versions 1.0 to 3.0), `import` and `export` move the elements. A file's elements stream through blocks; a file in C
//! order is turned to the store's column-major order on the way. It may touch stores through temporaries and elements, nothing deeper.

mod export;
mod header;
mod import;
#[cfg(test)]
mod tests;

pub use export::NpyExport;
pub use import::NpyImport;
