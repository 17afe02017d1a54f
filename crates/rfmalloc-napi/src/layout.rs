//! Reports over a whole store in a few long arrays: a million small objects would take seconds to make.

use crate::error::Result;
use crate::thread;
use napi::bindgen_prelude::{Float64Array, Int32Array, Uint8Array, Uint32Array};
use napi_derive::napi;
use rfmalloc_core::{Store, Stretch, Strings, Use};

/// Text in one piece: UTF-8 bytes of all, and of each how many; -1: there is none.
#[napi(object)]
pub struct NativeTexts {
    pub bytes: Uint8Array,
    pub lengths: Int32Array,
}

impl From<Strings> for NativeTexts {
    fn from(strings: Strings) -> Self {
        let (bytes, lengths) = strings.into_bytes();
        Self { bytes: bytes.into(), lengths: lengths.into() }
    }
}

/// Objects in the order of creation; `type_codes` 0: damaged. `dim_rows` are those that have extents, which stand in `dims`: "2x3", with
/// commas between objects.
#[napi(object)]
pub struct NativeListing {
    pub names: NativeTexts,
    pub ids: Float64Array,
    pub generations: Float64Array,
    pub kinds: Uint8Array,
    pub type_codes: Uint8Array,
    pub lengths: Float64Array,
    pub nbytes: Float64Array,
    pub dim_rows: Uint32Array,
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
    let all = thread::store(handle, Store::listing)?;
    let numbers = |column: Vec<u64>| column.into_iter().map(|n| n as f64).collect::<Vec<_>>();
    let extents = |dim: &[u64]| dim.iter().map(u64::to_string).collect::<Vec<_>>().join("x");
    Ok(NativeListing {
        names: all.names.into(),
        ids: numbers(all.ids).into(),
        generations: numbers(all.generations).into(),
        kinds: all.kinds.into(),
        type_codes: all.type_codes.into(),
        lengths: numbers(all.lens).into(),
        nbytes: numbers(all.nbytes).into(),
        dim_rows: all.dims.iter().map(|(i, _)| *i).collect::<Vec<_>>().into(),
        dims: all.dims.iter().map(|(_, dim)| extents(dim)).collect::<Vec<_>>().join(","),
    })
}

#[napi(catch_unwind)]
pub fn names(handle: u32) -> Result<NativeTexts> {
    thread::store(handle, Store::name_list).map(Into::into)
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
