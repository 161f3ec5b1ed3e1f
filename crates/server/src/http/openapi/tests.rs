//! The document against itself: its routes, its codes, its examples.

use serde_json::{Value, json};

use super::*;
use crate::http::error_code::ErrorCode;

fn document() -> Value {
    serde_json::from_str(&document_json().unwrap()).unwrap()
}

fn operations_of(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |path: &'_ String, item: &'_ Value| {
        let path = path.clone();
        let methods: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |method| (method, path.clone()))
    };
    paths
        .iter()
        .flat_map(|(path, item)| methods(path, item))
        .map(|(m, p)| {
            let operation = &document["paths"][&p][&m];
            (m, p, operation)
        })
        .collect()
}

/// Every value of the document, with the names that lead to it.
fn walk<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Object(members) => members.values().for_each(|member| walk(member, visit)),
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

#[test]
fn every_error_code_stands_at_an_operation() {
    let document = document();
    let mut told = Vec::new();
    for (_, _, operation) in operations_of(&document) {
        for response in operation["responses"].as_object().unwrap().values() {
            let codes =
                &response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"];
            told.extend(codes.as_array().into_iter().flatten().map(|code| code.as_str().unwrap().to_owned()));
        }
    }
    for code in ErrorCode::ALL {
        // No operation answers with these: there is no such method, or it is a page of mock mode that was asked.
        let outside = matches!(code, ErrorCode::MethodNotAllowed | ErrorCode::MisdirectedRequest);
        assert_eq!(told.iter().any(|told| told == code.as_str()), !outside, "{code:?}");
        let all = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
        assert!(all.as_array().unwrap().contains(&json!(code.as_str())), "{code:?}");
    }
}

#[test]
fn every_example_is_valid_against_its_own_schema() {
    let document = document();
    let mut seen = 0;
    walk(&document, &mut |value| {
        let examples = value.get("examples").and_then(Value::as_array);
        let Some(examples) = examples.filter(|_| value.get("type").is_some() || value.get("anyOf").is_some()) else {
            return;
        };
        let mut schema = value.clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        for example in examples {
            let errors: Vec<_> = validator.iter_errors(example).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{example}: {errors:?}");
            seen += 1;
        }
    });
    assert!(seen >= 20, "{seen}");
    // Every body has one.
    for (method, path, operation) in operations_of(&document) {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        if let Some(name) = body.as_str().and_then(|name| name.rsplit('/').next()) {
            assert!(document["components"]["schemas"][name]["examples"][0].is_object(), "{method} {path}");
        }
    }
}

#[test]
fn every_operation_says_who_may_call_and_is_named_once() {
    let document = document();
    let mut names: Vec<_> = operations_of(&document)
        .into_iter()
        .map(|(method, path, operation)| {
            let open = ["/healthz", "/readyz", "/openapi.json", "/docs"].contains(&path.as_str())
                || path.starts_with("/.well-known/");
            let scope = &operation["security"][0]["api_key"][0];
            assert_eq!(scope.is_null(), open, "{method} {path}");
            assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{method} {path}");
            operation["operationId"].as_str().unwrap().to_owned()
        })
        .collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn a_body_without_a_required_member_may_be_left_out() {
    let document = document();
    let required = |path: &str| document["paths"][path]["post"]["requestBody"]["required"].as_bool();
    assert_eq!(required("/v1/verifications"), Some(true));
    assert_eq!(required("/v1/verifications/{id}/resend"), Some(false));
    assert_eq!(required("/v1/verifications/{id}/cancel"), Some(false));
}
