//! HTTP: the transport and what is served over it.
//!
//! Handlers translate: they read a request, call the verifier and write its answer. No rule lives here.

mod access;
mod app;
mod error_code;
pub(crate) mod format;
mod inbox;
pub mod listener;
mod openapi;
mod problem;
mod reference;
pub(crate) mod request_log;
mod v1;
mod well_known;

pub use app::{App, ForgetElsewhere, MockPages, metrics_router, router};
pub(crate) use format::rfc3339;
pub use openapi::document_json;
pub use reference::Examples;
pub(crate) use v1::is_idempotency_key;
