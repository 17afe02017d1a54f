//! Reports over a whole store in a few long arrays: a million small objects would take seconds to make.

use crate::error::Result;
use crate::thread;
use napi::bindgen_prelude::{Float64Array, Int32Array, Uint8Array};
use napi_derive::napi;
use rfmalloc_core::{Listed, Store, Stretch, Strings, Use};

/// Objects in the order of creation; `type_codes` 0: damaged. The names stand one after the other in `names`, by their lengths (-1: none),
/// extents of matrices, arrays and frames in `dims`, "2x3", with commas between objects.
#[napi(object)]
pub struct NativeListing {
    pub names: String,
    pub name_lengths: Int32Array,
    pub ids: Float64Array,
    pub generations: Float64Array,
    pub kinds: Uint8Array,
    pub type_codes: Uint8Array,
    pub lengths: Float64Array,
    pub nbytes: Float64Array,
    pub dims: String,
}

/// Every byte of the file, in order; `uses` are positions in `names`, an id of -1 is none.
#[napi(object)]
pub struct NativeLayout {
    pub names: Vec<String>,
    pub offsets: Float64Array,
    pub nbytes: Float64Array,
    pub uses: Uint8Array,
    pub ids: Float64Array,
}

#[napi(catch_unwind)]
pub fn store_listing(handle: u32) -> Result<NativeListing> {
    let list = thread::store(handle, Store::listing)?;
    let names: Strings = list.iter().map(|l| l.entry.name.as_deref()).collect();
    let numbers = |f: fn(&Listed) -> f64| list.iter().map(f).collect::<Vec<_>>();
    let dims: Vec<String> =
        list.iter().map(|l| l.dim.iter().map(u64::to_string).collect::<Vec<_>>().join("x")).collect();
    let codes = |l: &Listed| l.entry.dtype.map_or(0, rfmalloc_core::Dtype::code);
    Ok(NativeListing {
        name_lengths: names.lengths().into(),
        names: names.into_text(),
        ids: numbers(|l| l.entry.id as f64).into(),
        generations: numbers(|l| l.entry.generation as f64).into(),
        kinds: list.iter().map(|l| l.entry.kind).collect::<Vec<_>>().into(),
        type_codes: list.iter().map(codes).collect::<Vec<_>>().into(),
        lengths: numbers(|l| l.entry.len as f64).into(),
        nbytes: numbers(|l| l.nbytes as f64).into(),
        dims: dims.join(","),
    })
}

/// In the order of their numbers.
const USES: [Use; 7] =
    [Use::Metadata, Use::Live, Use::Temporary, Use::Pinned, Use::Retired, Use::Free, Use::Unknown];

#[napi(catch_unwind)]
pub fn store_layout(handle: u32) -> Result<NativeLayout> {
    let list = thread::store(handle, Store::layout)?;
    let numbers = |f: fn(&Stretch) -> f64| list.iter().map(f).collect::<Vec<_>>();
    Ok(NativeLayout {
        names: USES.iter().map(|u| u.name().to_owned()).collect(),
        offsets: numbers(|s| s.off as f64).into(),
        nbytes: numbers(|s| s.nbytes as f64).into(),
        uses: list.iter().map(|s| s.what as u8).collect::<Vec<_>>().into(),
        ids: numbers(|s| s.id.map_or(-1.0, |id| id as f64)).into(),
    })
}
