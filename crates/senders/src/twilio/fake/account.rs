//! What the fake answers to reads: the account, its numbers, its short codes.
//!
//! Source of the shapes: the `OpenAPI` document of API version 2010-04-01.

use serde_json::{Value, json};
use url::Url;

use super::FakeAccount;
use super::http::{RecordedRequest, Response};
use super::rules::error_body;

/// Answers a read of an authenticated caller; `None` if it is none that the fake knows.
pub(super) fn answer(account: &FakeAccount, request: &RecordedRequest, by_api_key: bool) -> Option<Response> {
    if request.method != "GET" {
        return None;
    }
    let url = Url::parse("http://fake").and_then(|base| base.join(&request.target)).ok()?;
    let root = format!("/2010-04-01/Accounts/{}", account.account_sid);
    let query = |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    match url.path().strip_prefix(&root)? {
        // An API key may use the account's resources, and may not read the account itself.
        ".json" if by_api_key => Some(Response::json(401, &error_body(401, 20003, "Authenticate"))),
        ".json" => Some(Response::json(200, &shown(account))),
        "/IncomingPhoneNumbers.json" => Some(Response::json(200, &numbers(account, query("PhoneNumber").as_deref()))),
        "/SMS/ShortCodes.json" => Some(Response::json(200, &short_codes(account, query("ShortCode").as_deref()))),
        _ => None,
    }
}

fn shown(account: &FakeAccount) -> Value {
    json!({
        "sid": account.account_sid,
        "friendly_name": "Fake",
        "status": account.status,
        "type": if account.is_trial { "Trial" } else { "Full" },
        "owner_account_sid": account.account_sid,
        "uri": format!("/2010-04-01/Accounts/{}.json", account.account_sid),
        "date_created": "Sun, 05 Mar 2023 01:58:10 +0000",
        "date_updated": "Sun, 05 Mar 2023 01:58:10 +0000",
    })
}

fn numbers(account: &FakeAccount, wanted: Option<&str>) -> Value {
    let magic = "+15005550006".to_owned();
    let own = account.own_numbers.iter().chain(std::iter::once(&magic)).filter(|number| number.starts_with('+'));
    let entry = |number: &String| {
        let sms = !account.voice_numbers.contains(number);
        json!({"phone_number": number, "capabilities": {"voice": true, "sms": sms, "mms": sms, "fax": false}})
    };
    let own = own.chain(&account.voice_numbers).filter(|number| wanted.is_none_or(|wanted| wanted == *number));
    let entries: Vec<Value> = own.map(entry).collect();
    json!({"incoming_phone_numbers": entries, "page": 0, "page_size": 20, "start": 0, "end": 0, "next_page_uri": null})
}

fn short_codes(account: &FakeAccount, wanted: Option<&str>) -> Value {
    let own = account.own_numbers.iter().filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let own = own.filter(|number| wanted.is_none_or(|wanted| wanted == *number));
    let entries: Vec<Value> = own.map(|number| json!({"short_code": number})).collect();
    json!({"short_codes": entries, "page": 0, "page_size": 20, "start": 0, "end": 0, "next_page_uri": null})
}
