//! The reference at `/docs`: the `OpenAPI` document as a page, rendered here. No script, nothing from elsewhere, no key.
//!
//! [`model`] turns the document into what the template shows; nothing about the API is written in the page itself.

mod model;

use std::sync::{Arc, OnceLock};

use askama::Template;
use askama::filters::Safe;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use self::model::Model;
use super::app::{App, Shared};
use super::error_code::ErrorCode;
use super::openapi;
use super::problem::Problem;

/// Own style; nothing else, no script, in no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-cache"),
];

/// What the examples of the page need to know of this server.
#[derive(Debug)]
pub struct Examples {
    /// Where it is reached from outside, if the configuration says so.
    pub public_url: Option<String>,
    /// Whether its listener speaks TLS.
    pub tls: bool,
    /// The key: `dev`, or the variable that holds it.
    pub api_key: &'static str,
}

#[derive(Template)]
#[template(path = "reference/page.html")]
struct Page<'a> {
    model: &'a Model,
    errors: &'a [ErrorCode],
    base: String,
    api_key: &'a str,
}

/// Escaped text, with what stands between backticks as code.
fn rich(text: &str) -> Safe<String> {
    let mut html = String::with_capacity(text.len());
    for (at, part) in text.split('`').enumerate() {
        if at > 0 {
            html.push_str(if at % 2 == 1 { "<code>" } else { "</code>" });
        }
        for c in part.chars() {
            match c {
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '&' => html.push_str("&amp;"),
                '"' => html.push_str("&quot;"),
                c => html.push(c),
            }
        }
    }
    Safe(html)
}

fn with_headers(content: impl IntoResponse) -> Response {
    let mut response = content.into_response();
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The address that this very request came to. It goes into lines that people paste into a shell, so it is plain or it is not
/// taken over.
fn asked(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let authority = uri.authority().map(Authority::as_str).or(host)?;
    let plain = authority.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
    (plain && !authority.is_empty()).then(|| authority.to_owned())
}

fn base(examples: &Examples, uri: &Uri, headers: &HeaderMap) -> String {
    match (&examples.public_url, asked(uri, headers)) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, host) => {
            let scheme = if examples.tls { "https" } else { "http" };
            format!("{scheme}://{}", host.as_deref().unwrap_or("127.0.0.1:8080"))
        }
    }
}

/// This reference
///
/// For people; needs no script and loads nothing from elsewhere.
#[utoipa::path(
    get, path = "/docs", operation_id = "readReference", tag = "Service", security(()),
    responses((status = 200, description = "A page.", body = String, content_type = "text/html")),
)]
pub(super) async fn serve(State(app): Shared, uri: Uri, headers: HeaderMap) -> Response {
    // Made once: it is the same for ever.
    static MODEL: OnceLock<Model> = OnceLock::new();
    let model = MODEL.get_or_init(|| Model::of(&openapi::routes().1));
    let base = base(&app.examples, &uri, &headers);
    let page = Page { model, errors: ErrorCode::ALL, base, api_key: app.examples.api_key };
    match page.render() {
        Ok(text) => with_headers(Html(text)),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let (media_type, content): (&str, &'static [u8]) = match name.as_str() {
        "reference.css" => ("text/css; charset=utf-8", include_bytes!("assets/reference.css")),
        "icon.svg" => ("image/svg+xml", include_bytes!("../inbox/assets/icon.svg")),
        _ => return Err(Problem::not_found("no such file")),
    };
    Ok(with_headers(([(header::CONTENT_TYPE, media_type)], content)))
}

/// What the page itself loads.
pub(super) fn assets() -> Router<Arc<App>> {
    Router::new().route("/docs/assets/{name}", get(asset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_at(host: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).unwrap())]);
        asked(&Uri::from_static("/docs"), &headers)
    }

    #[test]
    fn only_a_plain_host_gets_into_the_examples() {
        for host in ["127.0.0.1:8080", "localhost", "[::1]:80", "verify.example.com"] {
            assert_eq!(asked_at(host).as_deref(), Some(host));
        }
        for host in ["", "a;rm", "$(id)", "`id`", "a b", "user@host", "a'b", "a\"b"] {
            assert_eq!(asked_at(host), None, "{host:?}");
        }
    }

    #[test]
    fn texts_are_escaped_and_words_between_backticks_are_code() {
        assert_eq!(rich("a `b<i>` & \"c\"").0, "a <code>b&lt;i&gt;</code> &amp; &quot;c&quot;");
    }

    #[test]
    fn examples_go_to_the_public_url_if_there_is_one() {
        let mut examples = Examples { public_url: None, tls: true, api_key: "dev" };
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("here:1"))]);
        let uri = Uri::from_static("/docs");
        assert_eq!(base(&examples, &uri, &headers), "https://here:1");
        examples.public_url = Some("https://verify.example.com/".to_owned());
        assert_eq!(base(&examples, &uri, &headers), "https://verify.example.com");
    }
}
