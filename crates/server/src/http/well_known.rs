//! `/.well-known/jwks.json`: the public keys of proofs, for everybody.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::app::Shared;
use super::error_code::ErrorCode;
use super::openapi::{problems, schema};
use super::problem::Problem;

/// RFC 7517, section 8.5.2.
const CONTENT_TYPE: &str = "application/jwk-set+json";
/// Five minutes: the keys of the next period are in the set a month ahead, so a cache never misses one; but a master key that
/// was removed because it leaked should not be believed for long.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The schema of a JWK Set as core writes it: public Ed25519 keys (RFC 8037).
struct KeySet;

impl ToSchema for KeySet {}

impl PartialSchema for KeySet {
    fn schema() -> RefOr<Schema> {
        let words = [
            ("kty", "The family of keys.", Some("OKP")),
            ("crv", "The curve.", Some("Ed25519")),
            ("use", "What for.", Some("sig")),
            ("alg", "The algorithm, and no other.", Some("EdDSA")),
            ("kid", "What the header of a proof names: the thumbprint of the key (RFC 7638).", None),
            ("x", "The public key, in base64url.", None),
        ];
        let key = words.into_iter().fold(ObjectBuilder::new().schema_type(Type::Object), |key, (name, about, only)| {
            let member = match only {
                Some(only) => schema::word(about, [only]),
                None => schema::text(about).pattern(Some("^[A-Za-z0-9_-]{43}$")),
            };
            key.property(name, member).required(name)
        });
        let keys = ArrayBuilder::new().items(key).description(Some("The keys, those that sign first."));
        ObjectBuilder::new().schema_type(Type::Object).property("keys", keys).required("keys").into()
    }
}

problems! {
    KeySetProblems: [&[ErrorCode::NotFound]];
}

/// The public keys of proofs
///
/// A JWK Set (RFC 7517): the keys of the previous, the current and the next period. 404 where proofs are switched off.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "readProofKeys", tag = "Service", security(()),
    responses((status = 200, description = "The keys.", body = inline(KeySet), content_type = "application/jwk-set+json"), KeySetProblems),
)]
pub(super) async fn jwks(State(app): Shared) -> Result<Response, Problem> {
    let keys = app.verifier.proof_keys()?.ok_or_else(|| Problem::not_found("this server issues no proofs"))?;
    let headers = [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, CACHE_CONTROL)];
    Ok((headers, keys.to_string()).into_response())
}
