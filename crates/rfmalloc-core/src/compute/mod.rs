//! R's operations on vectors: which types they take, what they give, what they warn of, what they refuse.
//!
//! - `operand`: what an operation is given; `conform`: lengths, shapes and attributes of the result, as a pure function;
//! - `ops`: arithmetic, comparison, logic; `math`: mathematics of one and two arguments, cumulatives; `missing`; `summary`; `margin`; `product`;
//!   `expr`: several operations as one program.
//!
//! Everything is decided here before the executor runs: a program that runs cannot fail, only be cancelled. Results go to memory that the caller
//! gives; types and lengths are asked for first.

mod conform;
mod expr;
mod margin;
mod math;
mod missing;
pub(crate) mod operand;
mod ops;
mod product;
mod summary;

pub use crate::executor::{Context, Unwatched, Watch, default_threads};
pub use crate::kernels::arith::Arith;
pub use crate::kernels::compare::Compare;
pub use crate::kernels::logic::Logic;
pub use crate::kernels::math::{Math, Math2};
pub use crate::kernels::simd::Isa;
pub use conform::{Conformed, Dims, Side, conform};
pub use expr::{Fused, Step};
pub use margin::{Margin, MarginShape, margin, margin_shape};
pub use math::{Cumulative, cumulate, cumulative_type, math, math_type, math2, math2_len, math2_type};
pub use missing::{Missing, missing, missing_type};
pub use operand::{Operand, Scalar};
pub use ops::{Binary, Unary, binary, binary_type, unary, unary_type};
pub use product::{
    Product, ProductShape, Tiles, choose_matmul_backend, matmul_backend, matmul_backends, product,
    product_shape,
};
pub(crate) use summary::bad_type;
pub use summary::{Summarised, Summary, summary, summary_of};

/// R's name of the warnings' group of errors: `details.kind`.
pub(crate) const KIND: &str = "kind";

/// What an operation warned of before it failed: `details.warnings`, bits of [`Warnings`](crate::Warnings).
pub(crate) const WARNINGS: &str = "warnings";
