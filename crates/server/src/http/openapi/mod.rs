//! The `OpenAPI` 3.1 document, made from the code: routes and operations are registered together, bodies and replies are the
//! types that are read and written, bounds are the constants of the rules ([`schema`]), errors the table of codes ([`problems`]).
//!
//! It is served at `/openapi.json`, printed by `verifyd openapi`, kept as `docs/openapi.json` and shown at `/docs`. The pages
//! of mock mode are not part of it.

mod problems;
pub(crate) mod schema;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::header::Header;
use utoipa::openapi::info::{ContactBuilder, InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, ComponentsBuilder, OpenApi, OpenApiBuilder, RefOr, Required, Schema};
use utoipa_axum::router::OpenApiRouter;

use super::app::App;
use super::{app, v1};
pub(crate) use problems::{ACCEPTED_BODY, KEYED, NUMBER, OWN_CODE, STORED, problems, responses};

/// The tags, in the order of the page, each with its sentence.
const TAGS: [(&str, &str); 5] = [
    ("Verifications", "Start a verification, check guesses, send again, cancel."),
    ("Limits", "What would happen and how much is left. Nothing is spent."),
    ("History", "What was sent, what came of it, and how much of it there was."),
    ("Numbers", "What an operator does with a number."),
    ("Service", "Is it alive, what does it count, what can it do."),
];

const ABOUT: &str = "Proves that a person holds a phone number: sends a code and checks what the person types.\n\n\
    Bodies are JSON of at most 16 KiB; unknown fields and duplicate keys are refused. Times are RFC 3339 in UTC with milliseconds. \
    Lengths are counted in bytes of UTF-8 where a schema has `x-max-bytes`. Errors are problem documents (RFC 9457) with a stable \
    `code`. A member that a reply does not have today may come later: ignore what you do not know.";

fn base() -> OpenApi {
    let licence = LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0"));
    let info = InfoBuilder::new()
        .title("verifyd")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .contact(Some(ContactBuilder::new().name(Some("verifyd")).url(Some(env!("CARGO_PKG_REPOSITORY"))).build()))
        .license(Some(licence.build()));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key of the configuration or of `verifyd keys create`. The roles of an operation are the scopes it needs."));
    let components = ComponentsBuilder::new()
        .schema(problems::SCHEMA, problems::schema())
        .schema(schema::REGION, schema::regions())
        .security_scheme("api_key", SecurityScheme::Http(bearer.build()));
    let tags = TAGS.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    // Relative to where the document was fetched from.
    let here = ServerBuilder::new().url("/").description(Some("Where this document is served")).build();
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([here]))
        .tags(Some(tags))
        .components(Some(components.build()))
        .build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// Whether an object of `components` that `body` refers to has a required member.
fn needs_a_body(body: &RequestBody, components: &Components) -> bool {
    let named = body.content.values().find_map(|content| match content {
        RefOr::T(content) => match content.schema.as_ref()? {
            RefOr::Ref(reference) => reference.ref_location.rsplit('/').next(),
            RefOr::T(_) => None,
        },
        RefOr::Ref(_) => None,
    });
    match named.and_then(|name| components.schemas.get(name)) {
        Some(RefOr::T(Schema::Object(object))) => !object.required.is_empty(),
        _ => true,
    }
}

/// What holds of every operation and need not be said at each: the request id, and that no body equals `{}`.
fn complete(mut document: OpenApi) -> OpenApi {
    let components = document.components.clone().unwrap_or_default();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            let needed = needs_a_body(body, &components);
            body.required = Some(if needed { Required::True } else { Required::False });
        }
        let repeatable = operation
            .parameters
            .iter()
            .flatten()
            .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "Idempotency-Key"));
        for (status, response) in &mut operation.responses.responses {
            if let RefOr::T(response) = response {
                if repeatable && status.starts_with('2') {
                    let header = Header::new(schema::replayed());
                    response.headers.insert("Idempotent-Replayed".to_owned(), RefOr::T(header));
                }
                let mut header = Header::new(schema::request_id());
                header.description =
                    Some("Under this id the log has the request; a short plain one of yours is taken over.".to_owned());
                response.headers.insert("X-Request-Id".to_owned(), RefOr::T(header));
            }
        }
    }
    document
}

/// Everything that is documented, with its document.
pub(crate) fn routes() -> (Router<Arc<App>>, OpenApi) {
    let (router, document) =
        OpenApiRouter::with_openapi(base()).merge(v1::routes()).merge(app::routes()).split_for_parts();
    (router, complete(document))
}

/// This document
///
/// Made from the code of this very server. `/docs` shows it as a page.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "readDocument", tag = "Service", security(()),
    responses((status = 200, description = "The `OpenAPI` 3.1 document.", body = Object)),
)]
pub(super) async fn serve() -> Response {
    // Made once: it is the same for ever.
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text = TEXT.get_or_init(|| document_json().unwrap_or_default().into());
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    (headers, text.clone()).into_response()
}

/// The document as text: what `/openapi.json` serves and `verifyd openapi` prints.
///
/// # Errors
/// What serialising gives; the test of the committed file shows that it gives nothing.
pub fn document_json() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&routes().1)
}

#[cfg(test)]
mod tests;
