//! The error responses of an operation, from the table of error codes.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::openapi::header::Header;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema};
use verifyd_core::limits::LimitName;

use super::schema::{count, instant, text, word};
use crate::http::error_code::ErrorCode;

/// The name of the schema of every problem document.
pub(super) const SCHEMA: &str = "Problem";

/// Of every call with a key.
pub(crate) const KEYED: &[ErrorCode] = &[ErrorCode::Unauthorized, ErrorCode::Forbidden, ErrorCode::Internal];
/// Of every call that reads a body.
pub(crate) const ACCEPTED_BODY: &[ErrorCode] =
    &[ErrorCode::InvalidRequest, ErrorCode::PayloadTooLarge, ErrorCode::UnsupportedMediaType];
/// Of every call that asks the store.
pub(crate) const STORED: &[ErrorCode] = &[ErrorCode::NotFound, ErrorCode::StoreUnavailable];
/// Of every call that reads a number.
pub(crate) const NUMBER: &[ErrorCode] =
    &[ErrorCode::InvalidPhoneNumber, ErrorCode::NumberTypeNotAllowed, ErrorCode::CountryNotAllowed];
/// Of every call that reads a code.
pub(crate) const OWN_CODE: &[ErrorCode] = &[ErrorCode::InvalidCodeFormat];

/// Names the error codes of operations: each becomes a type for the `responses(…)` of `utoipa::path`.
macro_rules! problems {
    ($($name:ident: [$($group:expr),* $(,)?];)*) => {
        $(
            #[doc = concat!("The error responses called ", stringify!($name), ".")]
            pub(super) struct $name;

            impl utoipa::IntoResponses for $name {
                fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                    $crate::http::openapi::responses(&[$($group),*])
                }
            }
        )*
    };
}
pub(crate) use problems;

/// One response a status, with the codes it may carry.
pub(crate) fn responses(groups: &[&[ErrorCode]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in ErrorCode::ALL.iter().filter(|code| groups.iter().any(|group| group.contains(code))) {
        for status in code.statuses() {
            by_status.entry(status.as_u16()).or_default().push(*code);
        }
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), RefOr::T(response(status, &codes)))).collect()
}

fn response(status: u16, codes: &[ErrorCode]) -> Response {
    let described: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
    let here = ObjectBuilder::new()
        .property(
            "code",
            ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes.iter().map(|code| code.as_str()))),
        )
        .property("status", ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([status])));
    let schema = AllOfBuilder::new().item(Ref::from_schema_name(SCHEMA)).item(here);
    let content = ContentBuilder::new().schema(Some(Schema::AllOf(schema.build())));
    let mut response =
        ResponseBuilder::new().description(described.join("\n\n")).content("application/problem+json", content.build());
    if waits(status) {
        let mut header = Header::new(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)));
        header.description = Some("Whole seconds to wait, rounded up.".to_owned());
        response = response.header("Retry-After", header);
    }
    if status == 401 {
        response = response.header("WWW-Authenticate", Header::new(ObjectBuilder::new().schema_type(Type::String)));
    }
    response.build()
}

fn waits(status: u16) -> bool {
    status == 429 || status == 503
}

/// The schema of every problem document, with the members that some codes add.
pub(super) fn schema() -> Schema {
    let codes = ErrorCode::ALL.iter().map(|code| code.as_str());
    let limits = LimitName::ALL.map(LimitName::as_str);
    let object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("Why a request was refused (RFC 9457)."))
        .examples([json!({
            "type": "urn:verifyd:error:rate_limited", "title": "Too many requests", "status": 429, "code": "rate_limited",
            "detail": "a limit is reached; nothing was spent", "retry_after_seconds": 30, "name": "resend_delay",
            "limit": 1, "remaining": 0, "window_seconds": 30, "reset_at": "2026-11-22T17:45:05.123Z",
            "retry_at": "2026-11-22T17:45:05.123Z",
        })])
        .property("type", text("`urn:verifyd:error:` and the code.").format(Some(schema_format("uri"))))
        .property("title", text("The same for every problem of this code."))
        .property("status", ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(400)).maximum(Some(599)))
        .property("code", word("What went wrong, for programs.", codes))
        .property("detail", text("What went wrong this time, for people."))
        .property("retry_after_seconds", count("Whole seconds to wait, rounded up; with 429 and 503.").minimum(Some(1)))
        .property("field", text("The field of the body or the query that is wrong."))
        .property("reason", text("Why, in one word; its values depend on the code."))
        .property("name", word("The limit that is reached.", limits))
        .property("limit", count("The most per window."))
        .property("remaining", count("How many are left."))
        .property("window_seconds", count("The window of the limit."))
        .property("reset_at", instant("When the whole limit is there again."))
        .property("retry_at", instant("The earliest instant at which trying again makes sense."))
        .property(
            "unlock_required",
            ObjectBuilder::new()
                .schema_type(Type::Boolean)
                .description(Some("Waiting does not help; an operator must lift the lock.")),
        )
        .property("provider_code", nullable_text("The provider's own code."))
        .property("sender", nullable_text("Which sender refused or failed."));
    ["type", "title", "status", "code", "detail"].into_iter().fold(object, ObjectBuilder::required).build().into()
}

fn nullable_text(description: &str) -> ObjectBuilder {
    text(description).schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]))
}

fn schema_format(name: &str) -> utoipa::openapi::schema::SchemaFormat {
    utoipa::openapi::schema::SchemaFormat::Custom(name.to_owned())
}
