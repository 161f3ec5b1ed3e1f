//! The `OpenAPI` document: every answer of every test is held against it, and its routes against the router's.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&verifyd_server::http::document_json().unwrap()).unwrap());
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// What a document of OpenAPI allows and no answer of ours should have: members that are not described.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("unevaluatedProperties".to_owned(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn validator(place: &str, schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap();
    let made = validators.entry(place.to_owned()).or_insert_with(|| {
        let mut components = DOCUMENT["components"].clone();
        // A problem is described in two places that an `allOf` joins; its own place is closed below.
        components["schemas"]
            .as_object_mut()
            .unwrap()
            .iter_mut()
            .filter(|(name, _)| *name != "Problem")
            .for_each(|(_, s)| close(s));
        let whole = json!({ "components": components, "allOf": [schema], "unevaluatedProperties": false });
        Arc::new(jsonschema::options().should_validate_formats(true).build(&whole).unwrap())
    });
    Arc::clone(made)
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(t, p)| t == p || (t.starts_with('{') && !p.is_empty()))
}

/// The template and the description of an operation.
fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let path = path.split('?').next().unwrap();
    let paths = DOCUMENT["paths"].as_object().unwrap();
    // The plainest template wins, as in the router.
    let found =
        paths.iter().filter(|(template, _)| matches(template, path)).min_by_key(|(template, _)| template.contains('{'));
    let (template, item) = found?;
    Some((template, item.get(method.to_ascii_lowercase())?))
}

/// Holds an answer against the document: its status, media type, members and error code must stand at its operation.
#[track_caller]
pub(crate) fn conforms(method: &str, path: &str, answer: &Answer) {
    let Some((template, operation)) = operation(method, path) else { return };
    let status = answer.status.to_string();
    let place = format!("{method} {template} {status}");
    let response = operation["responses"].get(&status);
    let response = response.unwrap_or_else(|| panic!("{place} is not documented: {}", answer.text));
    let media_type = answer.header("content-type").split(';').next().unwrap();
    let content = response["content"].get(media_type);
    let content = content.unwrap_or_else(|| panic!("{place}: {media_type:?} is not documented"));
    if media_type.ends_with("json") && template != "/openapi.json" {
        let body: Value = serde_json::from_str(&answer.text).unwrap();
        let validator = validator(&place, &content["schema"]);
        let errors: Vec<_> =
            validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{place}: {errors:?}: {body}");
    }
}

#[tokio::test]
async fn the_document_is_served_as_it_is_committed() {
    let app = TestApp::new().await;
    let answer = app.raw("GET", "/openapi.json", &[], "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let committed = include_str!("../../../../docs/openapi.json");
    assert!(answer.text == committed.trim_end(), "stale: cargo run --bin verifyd -- openapi > docs/openapi.json");
}

#[tokio::test]
async fn every_path_has_the_methods_that_are_listed_and_no_others() {
    let app = TestApp::new().await;
    for (template, item) in DOCUMENT["paths"].as_object().unwrap() {
        let path = template.replace("{id}", "VE00000000000000000000000000000000").replace("{to}", "+14155552671");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let answer = app.raw(method, &path, &[], "").await;
            let listed = item.get(method.to_ascii_lowercase()).is_some();
            // `check` under a template that takes any id: its own route answers.
            assert_eq!(answer.status != 405, listed, "{method} {path}");
            assert!(!answer.text.contains("no such path"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_scope_that_is_listed_is_the_scope_that_is_needed() {
    const SCOPES: [&str; 5] = ["verify", "forget", "unlock", "read", "metrics"];
    let key = |scope| {
        format!("[[api_keys]]\nname = \"{scope}\"\nkey = \"key-with-the-scope-{scope}\"\nscopes = [\"{scope}\"]\n")
    };
    let keys = SCOPES.map(key).concat();
    let app = TestApp::with(&keys).await;
    for (template, item) in DOCUMENT["paths"].as_object().unwrap() {
        let path = template.replace("{id}", "VE00000000000000000000000000000000").replace("{to}", "+14155552671");
        for (method, operation) in item.as_object().unwrap() {
            let needed = operation["security"][0]["api_key"][0].as_str();
            for scope in SCOPES {
                let answer = app
                    .call_as(&format!("key-with-the-scope-{scope}"), &method.to_ascii_uppercase(), &path, None)
                    .await;
                let refused = needed.is_some_and(|needed| needed != scope);
                assert_eq!(answer.status == 403, refused, "{method} {path} with {scope}: {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn the_router_serves_what_is_listed_and_nothing_else() {
    let app = TestApp::new().await;
    // axum tells its routes to nobody but the debugger: every path stands in quotes there, its own fallback, too.
    let shown = app.shown();
    let apart = |path: &str| {
        let of_pages = ["/inbox", "/dev/", "/docs/assets/"].iter().any(|start| path.starts_with(start));
        of_pages || path == "/" || path.contains("__private__axum_fallback")
    };
    let mut served: Vec<_> = shown.split('"').filter(|text| text.starts_with('/') && !apart(text)).collect();
    served.sort_unstable();
    served.dedup();
    let mut listed: Vec<_> = DOCUMENT["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    listed.sort_unstable();
    assert_eq!(served, listed);
}

#[tokio::test]
async fn the_reference_is_a_page_without_script_or_foreign_asset() {
    let app = TestApp::new().await;
    let page = app.raw("GET", "/docs", &[("host", "127.0.0.1:8080")], "").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'self';"));
    assert!(!page.text.contains("<script") && !page.text.contains("style="));
    for (_, item) in DOCUMENT["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(
                page.text.contains(&format!("id=\"{id}\"")) && page.text.contains(&format!("href=\"#{id}\"")),
                "{id}"
            );
        }
    }
    // What it loads and where its links lead: here, and it is there.
    let loaded = page.text.split("=\"/").skip(1).map(|rest| format!("/{}", rest.split('"').next().unwrap()));
    for path in loaded {
        assert_eq!(app.raw("GET", &path, &[], "").await.status, 200, "{path}");
    }
    assert!(!page.text.contains("href=\"http") && !page.text.contains("src=\"http"), "an address elsewhere");
    assert!(page.text.contains("curl &#39;http://127.0.0.1:8080/v1/verifications&#39;"), "no example");
    assert!(page.text.contains("Bearer dev"), "no key");
    app.raw("GET", "/docs/assets/none", &[], "").await.problem(404, "not_found");
}
