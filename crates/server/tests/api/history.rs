//! What was sent, what came of it and how much of it there was, over HTTP.

use serde_json::{Value, json};

use crate::support::{NO_DELAYS, PHONE, TestApp, redacted, text};

const TENANTS: &str = "[service.shop]\nname = \"Shop\"\n\
    [[api_keys]]\nname = \"shop\"\nkey = \"shop-key\"\nservice = \"shop\"\nscopes = [\"verify\", \"read\", \"forget\"]\n\
    [[api_keys]]\nname = \"plain\"\nkey = \"plain-key\"\n";

async fn listed(app: &TestApp, query: &str) -> Vec<Value> {
    let body = app.get(&format!("/v1/deliveries{query}")).await.expect(200);
    body["deliveries"].as_array().unwrap().clone()
}

fn ids(deliveries: &[Value]) -> Vec<String> {
    deliveries.iter().map(|delivery| text(&delivery["id"])).collect()
}

async fn one_group(app: &TestApp, query: &str) -> Value {
    let body = app.get(&format!("/v1/stats{query}")).await.expect(200);
    let groups = body["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{body}");
    groups[0].clone()
}

#[tokio::test]
async fn a_delivery_is_listed_with_what_came_of_it() {
    let app = TestApp::new().await;
    assert!(listed(&app, "").await.is_empty());
    let started = app.started(PHONE).await;
    app.advance(5).await;
    app.check(&started.id, &started.code).await.expect(200);
    let found = listed(&app, "").await;
    let id = text(&started.body["deliveries"][0]["id"]);
    assert_eq!((found.len(), &found[0]["id"], &found[0]["verification"]), (1, &json!(id), &started.body["id"]));
    let mut shown = redacted(&found[0], &started.body["created_at"]);
    let message_id = shown["message_id"].take();
    assert!(message_id.is_string() || message_id.is_null());
    assert_eq!(
        shown,
        json!({
            "id": "VL…", "verification": "VE…", "service": "VA…", "to": PHONE, "country": "US", "channel": "sms",
            "sender": "inbox", "status": found[0]["status"], "segments": 1, "message_id": null, "price": null,
            "error_code": null, "at": "T+0", "updated_at": "T+0", "approved_at": "T+5",
        })
    );
    assert_eq!(app.get(&format!("/v1/deliveries/{id}")).await.expect(200), found[0]);
    app.get("/v1/deliveries/VL00112233445566778899aabbccddeeff").await.problem(404, "not_found");
    app.get("/v1/deliveries/x").await.problem(404, "not_found");

    let group = one_group(&app, "?by=country,sender").await;
    assert_eq!((&group["country"], &group["sender"]), (&json!("US"), &json!("inbox")));
    assert_eq!((&group["sent"], &group["approved"], &group["conversion"]), (&json!(1), &json!(1), &json!(1.0)));
    let mean = group["mean_seconds_to_approve"].as_f64().unwrap();
    assert!((5.0..8.0).contains(&mean), "{group}");
}

#[tokio::test]
async fn filters_find_what_they_ask_for() {
    let app = TestApp::with(NO_DELAYS).await;
    let first = app.started(PHONE).await;
    app.advance(60).await;
    let second = app.started("+393123456789").await;
    app.check(&first.id, &first.code).await.expect(200);
    let delivery = |started: &crate::support::Started| text(&started.body["deliveries"][0]["id"]);
    let (us, it) = (delivery(&first), delivery(&second));
    let second_at = text(&second.body["deliveries"][0]["at"]);
    let cases = [
        ("?country=IT".to_owned(), vec![&it]),
        ("?country=DE".to_owned(), vec![]),
        (format!("?verification={}", first.id), vec![&us]),
        ("?to=%2B14155552671".to_owned(), vec![&us]),
        ("?to=+14155552671".to_owned(), vec![&us]),
        ("?to=4155552671&region=US".to_owned(), vec![&us]),
        ("?approved=true".to_owned(), vec![&us]),
        ("?approved=false".to_owned(), vec![&it]),
        ("?sender=inbox&channel=sms".to_owned(), vec![&it, &us]),
        ("?sender=nobody".to_owned(), vec![]),
        ("?status=failed".to_owned(), vec![]),
        (format!("?from={second_at}"), vec![&it]),
        (format!("?until={second_at}"), vec![&us]),
        ("?service=default".to_owned(), vec![&it, &us]),
    ];
    for (query, expected) in cases {
        let found = ids(&listed(&app, &query).await);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?cursor=x", "cursor"),
        ("?from=yesterday", "from"),
        ("?country=us", "country"),
        ("?status=lost", "status"),
        ("?channel=pigeon", "channel"),
        ("?verification=VE1", "verification"),
    ] {
        assert_eq!(app.get(&format!("/v1/deliveries{query}")).await.problem(400, "invalid_request")["field"], field);
    }
    app.get("/v1/deliveries?colour=red").await.problem(400, "invalid_request");
    app.get("/v1/deliveries?to=123").await.problem(422, "invalid_phone_number");
    app.get("/v1/deliveries?service=none").await.problem(404, "not_found");
    app.get("/v1/stats?by=colour").await.problem(400, "invalid_request");
    app.get("/v1/stats?period=year").await.problem(400, "invalid_request");
}

/// Each delivery that was there is seen once, whatever is sent between two pages.
#[tokio::test]
async fn pages_stand_still_while_more_is_sent() {
    let app = TestApp::with(NO_DELAYS).await;
    let mut expected = Vec::new();
    for line in 0..7 {
        let started = app.started(&format!("+1415555010{line}")).await;
        expected.push(text(&started.body["deliveries"][0]["id"]));
    }
    let (mut seen, mut path, mut line) = (Vec::new(), "/v1/deliveries?limit=2".to_owned(), 20);
    loop {
        let body = app.get(&path).await.expect(200);
        seen.extend(ids(body["deliveries"].as_array().unwrap()));
        app.started(&format!("+141555501{line}")).await;
        line += 1;
        match body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/deliveries?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_tenant_reads_its_own_history_and_no_other() {
    let app = TestApp::with(TENANTS).await;
    app.started(PHONE).await;
    let own = app.call_as("shop-key", "POST", "/v1/verifications", Some(&json!({ "to": PHONE }))).await.expect(201);
    let as_shop = |path: &str| {
        let path = path.to_owned();
        let app = &app;
        async move { app.call_as("shop-key", "GET", &path, None).await }
    };
    let all = listed(&app, "").await;
    assert_eq!(all.len(), 2);
    let mine = as_shop("/v1/deliveries").await.expect(200);
    assert_eq!(ids(mine["deliveries"].as_array().unwrap()), [text(&own["deliveries"][0]["id"])]);
    let theirs = all.iter().find(|delivery| delivery["service"] != own["service"]).unwrap();
    as_shop(&format!("/v1/deliveries/{}", text(&theirs["id"]))).await.problem(404, "not_found");
    as_shop("/v1/deliveries?service=default").await.problem(404, "not_found");
    as_shop("/v1/stats?service=default").await.problem(404, "not_found");
    let of_other = as_shop(&format!("/v1/deliveries?verification={}", text(&theirs["verification"]))).await.expect(200);
    assert_eq!(of_other["deliveries"], json!([]));
    assert_eq!(as_shop("/v1/stats").await.expect(200)["groups"][0]["sent"], 1);
    assert_eq!(one_group(&app, "").await["sent"], 2);

    let plain = app.call_as("plain-key", "GET", "/v1/deliveries", None).await;
    plain.problem(403, "forbidden");
    app.call_as("plain-key", "GET", "/v1/stats", None).await.problem(403, "forbidden");
}

#[tokio::test]
async fn refusals_are_counted_by_reason() {
    let app = TestApp::with("[service.default]\nallowed_countries = [\"US\"]\n").await;
    app.started(PHONE).await;
    app.start(PHONE).await.problem(429, "rate_limited");
    app.start("+393123456789").await.problem(422, "country_not_allowed");
    app.start("123").await.problem(422, "invalid_phone_number");
    let group = one_group(&app, "").await;
    let expected = json!({ "resend_delay": 1, "country_not_allowed": 1, "invalid_phone_number": 1 });
    assert_eq!((&group["refused"], &group["sent"]), (&expected, &json!(1)));
    let italy = one_group(&app, "?country=IT&by=country").await;
    assert_eq!(italy["refused"], json!({ "country_not_allowed": 1 }));
}

#[tokio::test]
async fn a_forgotten_number_is_no_longer_listed_but_counted() {
    let app = TestApp::new().await;
    app.started(PHONE).await;
    app.started("+14155550123").await;
    app.call_as("dev", "DELETE", &format!("/v1/phones/{PHONE}"), None).await.expect(200);
    let left = listed(&app, "").await;
    assert_eq!((left.len(), &left[0]["to"]), (1, &json!("+14155550123")));
    assert_eq!(one_group(&app, "").await["sent"], 2);
}

#[tokio::test]
async fn hours_and_days_are_told_apart() {
    let app = TestApp::new().await;
    app.started(PHONE).await;
    app.advance(3_600).await;
    app.started(PHONE).await;
    let body = app.get("/v1/stats?period=hour").await.expect(200);
    let hours = body["groups"].as_array().unwrap();
    assert_eq!(hours.len(), 2, "{body}");
    assert!(hours.iter().all(|hour| hour["sent"] == 1 && text(&hour["start"]).ends_with(":00:00.000Z")));
    app.advance(30 * 86_400).await;
    assert!(listed(&app, "").await.is_empty(), "past its retention");
    assert_eq!(app.get("/v1/stats").await.expect(200)["groups"], json!([]), "a day back, and no more");
    let all = one_group(&app, "?from=2020-01-01T00:00:00Z").await;
    assert_eq!(all["sent"], 2, "counts are kept longer");
}
