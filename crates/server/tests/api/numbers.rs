//! Numbers as people write them: the spellings of one line, and what is no number.

use serde_json::json;

use crate::support::{NO_DELAYS, PHONE, TestApp};

#[tokio::test]
async fn spellings_of_one_number_are_one_verification() {
    let app = TestApp::with("[limits]\nresend_delays = []\nsends_per_verification = 20\nsends_per_phone = \"100/1h\"\nsends_per_phone_all_services = \"100/24h\"\n").await;
    let lines: [&[(&str, &str)]; 4] = [
        &[
            (PHONE, ""),
            ("+1 (415) 555-2671", ""),
            ("+1.415.555.2671", "DE"),
            ("tel:+1-415-555-2671", ""),
            ("4155552671", ""),
            ("4155552671", "US"),
            ("1 (415) 555-2671", "US"),
            ("  +14155552671\n", ""),
            ("＋１４１５５５５２６７１", ""),
            ("+١٤١٥٥٥٥٢٦٧١", ""),
            ("00 1 415 555 2671", "DE"),
            ("\u{202A}+1\u{A0}415\u{A0}555\u{2011}2671\u{202C}", ""),
            ("(+1) 415-555-2671", ""),
        ],
        &[
            ("+54 9 343 555 1212", ""),
            ("0343 15 555 1212", "AR"),
            ("+54 343 555 1212", ""),
            ("0054 9 343 555 1212", "DE"),
        ],
        &[("+39 06 698 12345", ""), ("06 69812345", "IT"), ("0039 0669812345", "FR")],
        &[("+55 11 96123 4567", ""), ("011 96123-4567", "BR"), ("+55 (11) 9 6123-4567", "")],
    ];
    for spellings in lines {
        let mut first = None;
        for (to, region) in spellings {
            let region = if region.is_empty() { json!(null) } else { json!(region) };
            let answer = app.post("/v1/verifications", json!({ "to": to, "region": region })).await;
            let body = answer.expect(if first.is_none() { 201 } else { 200 });
            let id = body["id"].clone();
            assert_eq!(*first.get_or_insert_with(|| id.clone()), id, "{to:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_number_is_refused_with_its_reason_and_for_free() {
    let app = TestApp::with(NO_DELAYS).await;
    let too_long = format!("+14155552671{}", " ".repeat(53));
    let table: [(&str, &str, &str); 27] = [
        ("", "US", "empty"),
        (" \u{200B}\u{FEFF}\t", "US", "empty"),
        ("tel:", "US", "empty"),
        ("+", "", "invalid"),
        ("12", "US", "invalid"),
        ("+999123456789", "", "invalid"),
        ("+0044 20 7946 0958", "", "invalid"),
        ("+1 415 555 267", "", "invalid"),
        ("+1 415 555 26711", "", "invalid"),
        ("+1 415+555 2671", "", "invalid"),
        ("tel:4155552671;ext=5", "US", "extension"),
        ("+14155552671 x5", "", "extension"),
        ("+14155552671#5", "", "extension"),
        ("+14155552671,,5", "", "extension"),
        ("1-800-FLOWERS", "US", "letters"),
        ("call +14155552671", "", "letters"),
        ("+14155552671 or +14155552672", "", "letters"),
        ("+1415555267O", "", "letters"),
        ("+1415555267١", "", "mixed_scripts"),
        ("+1415555267²", "", "unsupported_characters"),
        ("#31#4155552671", "US", "unsupported_characters"),
        ("+14155552671\u{0}", "", "unsupported_characters"),
        ("'; DROP TABLE phones; --", "", "unsupported_characters"),
        (&too_long, "", "too_long"),
        ("+4929141777631706", "", "too_many_digits"),
        ("4155552671", "001", "unknown_region"),
        ("1079460958", "US", "invalid"),
    ];
    for (to, region, reason) in table {
        let region = if region.is_empty() { json!(null) } else { json!(region) };
        for path in ["/v1/verifications", "/v1/preview"] {
            let problem =
                app.post(path, json!({ "to": to, "region": region })).await.problem(422, "invalid_phone_number");
            assert_eq!(problem["reason"], reason, "{to:?}");
            let detail = problem["detail"].as_str().unwrap();
            let longest = detail.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            assert!(longest < Some(4), "a number in {problem}");
        }
        let check = json!({ "to": to, "region": region, "code": "123456" });
        let problem = app.post("/v1/verifications/check", check).await.problem(422, "invalid_phone_number");
        assert_eq!(problem["reason"], reason, "{to:?}");
    }
    assert_eq!((app.messages(), app.sends_used(PHONE).await), (0, 0));
}

#[tokio::test]
async fn a_service_without_a_region_takes_only_international_numbers() {
    let app = TestApp::with("[service.default]\ndefault_region = \"\"\n").await;
    let problem = app.start("4155552671").await.problem(422, "invalid_phone_number");
    assert_eq!(problem["reason"], "region_required");
    app.start(PHONE).await.expect(201);
}

#[tokio::test]
async fn numbers_in_a_path_are_read_like_any_other() {
    let app = TestApp::new().await;
    for (path, status, code) in [
        ("/v1/phones/12", 422, "invalid_phone_number"),
        ("/v1/phones/%20", 422, "invalid_phone_number"),
        ("/v1/phones/call", 422, "invalid_phone_number"),
        ("/v1/phones/", 404, "not_found"),
        ("/v1/phones/%FF", 400, "invalid_request"),
    ] {
        app.call_as("dev", "DELETE", path, None).await.problem(status, code);
    }
    app.started(PHONE).await;
    let answer = app.call_as("dev", "DELETE", "/v1/phones/%2B1%20415%20555%202671", None).await;
    assert_eq!(answer.expect(200)["forgotten_verifications"], 1);
}

/// An Italian mobile and the land line that shares its limit key are two people.
#[tokio::test]
async fn a_code_for_a_mobile_does_not_approve_the_land_line_beside_it() {
    let app = TestApp::with(NO_DELAYS).await;
    let (mobile, land_line) = ("+393123456789", "+3903123456789");
    app.post("/v1/verifications", json!({ "to": mobile })).await.expect(201);
    let inbox = app.get("/inbox/messages").await.expect(200);
    let code = inbox[0]["code"].clone();
    let other = app.post("/v1/verifications/check", json!({ "to": land_line, "code": code })).await;
    other.problem(404, "not_found");
    let own = app.post("/v1/verifications/check", json!({ "to": mobile, "code": code })).await.expect(200);
    assert_eq!(own["valid"], true);
    let started = app.post("/v1/verifications", json!({ "to": land_line })).await.expect(201);
    assert_eq!(started["to"], land_line);
    let other = app.post("/v1/verifications", json!({ "to": mobile })).await.expect(201);
    assert_eq!((&other["to"], &other["rate_limit"]["remaining"]), (&json!(mobile), &json!(2)));
}
