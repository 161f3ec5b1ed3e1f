//! `/.well-known/jwks.json`: the public keys of proofs, for everybody.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::app::Shared;
use super::error_code::ErrorCode;
use super::openapi::problems;
use super::problem::Problem;

/// RFC 7517, section 8.5.2.
const CONTENT_TYPE: &str = "application/jwk-set+json";
/// Five minutes: the keys of the next period are in the set a month ahead, so a cache never misses one; but a master key that
/// was removed because it leaked should not be believed for long.
const CACHE_CONTROL: &str = "public, max-age=300";

problems! {
    KeySetProblems: [&[ErrorCode::NotFound]];
}

/// The public keys of proofs
///
/// A JWK Set (RFC 7517): the keys of the previous, the current and the next period. 404 where proofs are switched off.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "readProofKeys", tag = "Service", security(()),
    responses((status = 200, description = "The keys.", body = Object, content_type = "application/jwk-set+json"), KeySetProblems),
)]
pub(super) async fn jwks(State(app): Shared) -> Result<Response, Problem> {
    let keys = app.verifier.proof_keys()?.ok_or_else(|| Problem::not_found("this server issues no proofs"))?;
    let headers = [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, CACHE_CONTROL)];
    Ok((headers, keys.to_string()).into_response())
}
