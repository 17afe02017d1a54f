//! The C interface's way out of the addon: its table, as a tagged external that another addon can check and take.

use crate::error::Result;
use crate::view::{self, Raw};
use napi::Env;
use napi_derive::napi;
use rfmalloc_table::abi::{NAPI_TAG, VERSION};

/// The table of `include/rfmalloc.h`.
#[napi(catch_unwind, ts_return_type = "object")]
pub fn c_api(env: Env) -> Result<Raw> {
    view::tagged_external(&env, rfmalloc_table::api(VERSION), NAPI_TAG)
}
