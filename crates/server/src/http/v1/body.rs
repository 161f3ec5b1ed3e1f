//! Strict JSON bodies: at most 16 KiB, unknown fields and duplicate keys refused, no body the same as `{}`.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::http::error_code::ErrorCode;
use crate::http::listener::{BodyError, read_body};
use crate::http::openapi::schema;
use crate::http::problem::Problem;

/// The largest body of the API.
pub(crate) const MAX_BODY_BYTES: usize = 16 * 1024;

/// A body read as `T`.
pub(crate) struct Json<T>(pub(crate) T);

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let code = match error {
            BodyError::TooLarge { .. } => ErrorCode::PayloadTooLarge,
            BodyError::TimedOut | BodyError::Aborted => ErrorCode::InvalidRequest,
        };
        Self::new(code, error.to_string()).with_status(error.status())
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(body, MAX_BODY_BYTES).await?;
        if bytes.is_empty() {
            return object(b"{}").map(Json);
        }
        if !is_json(&parts.headers) {
            return Err(Problem::unsupported_media_type());
        }
        object(&bytes).map(Json)
    }
}

/// Reads an object; serde would also take an array with the values in the order of our fields.
fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|first| *first != b'{') {
        return Err(Problem::invalid_request("the body is not an object in JSON"));
    }
    serde_json::from_slice(bytes).map_err(|error| bad_json(&error))
}

/// What serde says about a body can repeat the caller's text, and that could be a code; only its place and kind are told.
fn bad_json(error: &serde_json::Error) -> Problem {
    use serde_json::error::Category;
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let detail = match error.classify() {
        Category::Data => {
            // serde quotes names and values with backticks and quotes; the names are ours, the values are the caller's.
            let kind = [
                "unknown field",
                "duplicate field",
                "missing field",
                "invalid type",
                "invalid value",
                "invalid length",
            ]
            .into_iter()
            .find(|kind| text.starts_with(kind));
            let field = text.split('`').nth(1).filter(|name| is_plain_name(name));
            match (kind, field) {
                (Some(kind @ ("unknown field" | "duplicate field" | "missing field")), Some(field)) => {
                    format!("{kind} {field:?} at {place}")
                }
                (Some(kind), _) => format!("{kind} at {place}"),
                (None, _) if text.starts_with("duplicate key") => format!("duplicate key at {place}"),
                (None, _) => format!("not as expected at {place}"),
            }
        }
        Category::Syntax | Category::Eof | Category::Io => format!("not JSON: {place}"),
    };
    Problem::invalid_request(detail)
}

fn is_plain_name(name: &str) -> bool {
    name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// A map whose keys may stand only once: serde's own maps let the last one win.
pub(crate) fn unique_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Unique<T>(PhantomData<T>);

    impl<'de> Visitor<'de> for Unique<String> {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of strings")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = access.next_entry::<String, String>()? {
                if map.insert(key, value).is_some() {
                    return Err(A::Error::custom("duplicate key"));
                }
            }
            Ok(map)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }
    }

    deserializer.deserialize_any(Unique(PhantomData))
}

/// The body of a start and of a preview.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "to": "+14155552671", "locale": "en", "client_ip": "203.0.113.7" })))]
pub(super) struct StartBody {
    #[schema(schema_with = schema::number)]
    pub(super) to: String,
    #[schema(schema_with = schema::service)]
    pub(super) service: Option<String>,
    #[schema(schema_with = schema::channel)]
    pub(super) channel: Option<String>,
    #[schema(schema_with = schema::locale)]
    pub(super) locale: Option<String>,
    #[schema(schema_with = schema::client_ip)]
    pub(super) client_ip: Option<String>,
    #[schema(schema_with = schema::region)]
    pub(super) region: Option<String>,
    #[schema(schema_with = schema::own_code)]
    pub(super) code: Option<Secret>,
    #[schema(schema_with = schema::app_hash)]
    pub(super) app_hash: Option<String>,
    #[schema(schema_with = schema::purpose)]
    pub(super) purpose: Option<String>,
    #[schema(schema_with = schema::nonce)]
    pub(super) nonce: Option<String>,
    #[serde(default, deserialize_with = "unique_map")]
    #[schema(schema_with = schema::metadata)]
    pub(super) metadata: BTreeMap<String, String>,
}

/// The body of a resend.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "client_ip": "203.0.113.7" })))]
pub(super) struct ResendBody {
    #[schema(schema_with = schema::channel)]
    pub(super) channel: Option<String>,
    #[schema(schema_with = schema::locale)]
    pub(super) locale: Option<String>,
    #[schema(schema_with = schema::client_ip)]
    pub(super) client_ip: Option<String>,
}

/// The body of a check by id.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "code": "123456" })))]
pub(super) struct CheckBody {
    #[schema(schema_with = schema::guess)]
    pub(super) code: Secret,
}

/// The body of a check by number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "to": "+14155552671", "code": "123456" })))]
pub(super) struct CheckByNumberBody {
    #[schema(schema_with = schema::number)]
    pub(super) to: String,
    #[schema(schema_with = schema::guess)]
    pub(super) code: Secret,
    #[schema(schema_with = schema::region)]
    pub(super) region: Option<String>,
    #[schema(schema_with = schema::service)]
    pub(super) service: Option<String>,
}

/// The body of a call that takes none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({})))]
pub(super) struct EmptyBody {}

/// The body of an unlock.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "service": "default" })))]
pub(super) struct ServiceBody {
    #[schema(schema_with = schema::service)]
    pub(super) service: Option<String>,
}

/// Text that must not be printed: a code on its way in.
pub(super) struct Secret(zeroize::Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl Secret {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(body: &str) -> String {
        let error = serde_json::from_str::<StartBody>(body).unwrap_err();
        format!("{:?}", bad_json(&error))
    }

    #[test]
    fn errors_name_our_fields_and_never_repeat_values() {
        assert!(detail(r#"{"to":"x","tow":1}"#).contains(r#"unknown field \"tow\""#));
        assert!(detail(r#"{"to":"x","to":"y"}"#).contains(r#"duplicate field \"to\""#));
        assert!(detail("{}").contains(r#"missing field \"to\""#));
        assert!(detail(r#"{"to":"x","metadata":{"a":"1","a":"2"}}"#).contains("duplicate key"));
        for body in [r#"{"to":"x","code":834105}"#, r#"{"to":"x","834105":1}"#, r#"{"to":834105}"#, r#"{"to":"834105"#]
        {
            assert!(!detail(body).contains("834105"), "{body}");
        }
    }
}
