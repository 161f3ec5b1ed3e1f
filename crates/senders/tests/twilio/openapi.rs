//! Our requests and the fake's answers against Twilio's own OpenAPI document.
//!
//! The document is not part of the repository: it lies in the folder `shared` beside it. Where it is absent the check is
//! skipped with a message, except in CI.

use std::path::Path;

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use verifyd_core::sender::Sender as _;
use verifyd_senders::twilio::fake::FakeTwilio;
use verifyd_senders::twilio::{RiskCheck, TwilioSettings};

use crate::support::{message, sender};

const DOCUMENT: &str = "../shared/twilio/messages.openapi.json";
const CREATE: &str = "/paths/~12010-04-01~1Accounts~1{AccountSid}~1Messages.json/post";

/// The document, or nothing where it may be absent.
fn document() -> Option<Value> {
    // Two folders up from this crate is the repository.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(DOCUMENT);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!in_ci, "{DOCUMENT}, relative to the repository: {error}");
            println!("skipped: {DOCUMENT}, relative to the repository: {error}");
            None
        }
    }
}

/// OpenAPI 3.0 to JSON Schema: `nullable` becomes a type, and an object that lists its properties allows no others.
fn to_json_schema(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.remove("nullable") == Some(Value::Bool(true))
                && let Some(known) = fields.remove("type")
            {
                fields.insert("type".into(), json!([known, "null"]));
            }
            if fields.get("properties").is_some_and(Value::is_object) {
                fields.insert("additionalProperties".into(), false.into());
            }
            fields.values_mut().for_each(to_json_schema);
        }
        Value::Array(items) => items.iter_mut().for_each(to_json_schema),
        _ => {}
    }
}

/// The schema at `pointer`, with the document's components for its references.
fn validator(document: &Value, pointer: &str) -> Validator {
    let mut schema = json!({"allOf": [document.pointer(pointer).unwrap()], "components": document["components"]});
    to_json_schema(&mut schema);
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// The form as an object, its strings read as the types that the schema names.
fn typed(form: &[(String, String)], properties: &Value) -> Value {
    let mut object = Map::new();
    for (name, text) in form {
        let value = match properties.get(name).and_then(|property| property["type"].as_str()) {
            Some("integer" | "number" | "boolean") => {
                serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
            }
            Some("array") => json!([text]),
            _ => text.as_str().into(),
        };
        assert!(object.insert(name.clone(), value).is_none(), "{name} is given twice");
    }
    Value::Object(object)
}

fn all_settings(twilio: &FakeTwilio) -> Vec<TwilioSettings> {
    let service = Some(format!("MG{}", "c".repeat(32)));
    let callback = Some("https://verify.example.com/callbacks/twilio".parse().unwrap());
    vec![
        twilio.settings(),
        TwilioSettings { messaging_service_sid: service.clone(), from: None, ..twilio.settings() },
        TwilioSettings { messaging_service_sid: service, risk_check: Some(RiskCheck::Enable), ..twilio.settings() },
        TwilioSettings {
            status_callback: callback,
            smart_encoded: false,
            risk_check: Some(RiskCheck::Disable),
            ..twilio.settings()
        },
    ]
}

#[tokio::test]
async fn every_request_holds_against_the_specification() {
    let Some(document) = document() else { return };
    let pointer = format!("{CREATE}/requestBody/content/application~1x-www-form-urlencoded/schema");
    let properties = document.pointer(&pointer).unwrap()["properties"].clone();
    let validator = validator(&document, &pointer);
    let twilio = FakeTwilio::start().await.unwrap();
    for settings in all_settings(&twilio) {
        sender(settings).send(&message()).await.unwrap();
        let form = typed(&twilio.requests().last().unwrap().form(), &properties);
        let errors: Vec<_> = validator.iter_errors(&form).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{form}: {errors:?}");
    }
    assert_eq!(twilio.requests().len(), 4);
    // The check can fail: unknown names, wrong types, unknown words and a missing recipient are seen.
    for bad in [
        json!({"To": "+14155550123", "Channel": "sms"}),
        json!({"To": "+14155550123", "ValidityPeriod": "soon"}),
        json!({"To": "+14155550123", "RiskCheck": "perhaps"}),
        json!({"To": "+14155550123", "MessagingServiceSid": "MG1"}),
        json!({"Body": "Hello"}),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}

#[tokio::test]
async fn every_answer_of_the_fake_holds_against_the_specification() {
    let Some(document) = document() else { return };
    let validator = validator(&document, &format!("{CREATE}/responses/201/content/application~1json/schema"));
    let twilio = FakeTwilio::start().await.unwrap();
    let account = twilio.account().clone();
    let url = format!("{}/2010-04-01/Accounts/{}/Messages.json", twilio.base_url(), account.account_sid);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let service = format!("MG{}", "c".repeat(32));
    for sender in [("From", "+15005550006"), ("MessagingServiceSid", service.as_str())] {
        let form = [("To", "+14155550123"), ("Body", "Your code is 918273"), sender];
        let request = client.post(&url).basic_auth(&account.account_sid, Some(&account.auth_token)).form(&form);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let errors: Vec<_> = validator.iter_errors(&body).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{body}: {errors:?}");
        let listed = document["components"]["schemas"]["api.v2010.account.message"]["properties"].as_object().unwrap();
        assert!(listed.keys().all(|name| body.get(name).is_some()), "every field is there, null or not");
        let date = body["date_created"].as_str().unwrap();
        assert!(date.ends_with(" +0000") && jiff::fmt::rfc2822::parse(date).is_ok(), "{date}");
        let mut wrong = body;
        wrong["num_segments"] = 1.into();
        assert!(!validator.is_valid(&wrong), "the check can fail");
    }
}
