//! The Node-API addon: conversion only. Semantics are in `rfmalloc-core`, classes in the TypeScript facade.
//!
//! Numbers, strings and typed arrays cross here. Objects are named by tokens of the thread (`thread`); answers on the hot path go through
//! a mailbox instead of fresh objects. Every export is `catch_unwind`: a panic becomes an error, never an abort.
//!
//! | module | holds |
//! | --- | --- |
//! | `view` | raw Node-API: external buffers, weak references (the only unsafe file) |
//! | `thread` | what this thread has open |
//! | `store`, `object`, `attributes`, `elements`, `brackets`, `lists`, `text`, `operations`, `summaries`, `ordering`, `matrices`, `expressions`, `csv`, `npy`, `layout` | the exports |
//! | `operands` | operands of operations |
//! | `capi` | the C interface's table, for other addons |
//! | `task`, `job`, `compute` | promises; `job`: those over a whole file, `compute`: over operations |
//! | `error` | core errors to JavaScript errors |

#![deny(unsafe_code)]
// The exports' contract is documented where it is used: the binding's declaration in the facade's native.ts.
#![allow(missing_docs)]
// The export macro needs `pub`; nothing but Node-API reaches these items.
#![allow(unreachable_pub)]
// Node-API hands arguments over by value.
#![allow(clippy::needless_pass_by_value)]

mod attributes;
mod brackets;
mod capi;
mod compute;
mod csv;
mod elements;
mod error;
mod expressions;
mod job;
mod layout;
mod lists;
mod matrices;
mod npy;
mod object;
mod operands;
mod operations;
mod ordering;
mod store;
mod summaries;
mod task;
mod text;
mod thread;
mod view;
