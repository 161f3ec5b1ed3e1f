//! A clock that went back by more than can be an adjustment: nothing is decided until an operator accepts the time.

use serde_json::json;

use crate::api::Api;
use crate::program::{Program, data_dir};

const NUMBER: &str = "+14155550180";

#[tokio::test]
async fn a_store_that_has_seen_the_future_decides_nothing_until_the_operator_accepts_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    let server = program.start();
    let api = Api::of(&server);
    api.post("/dev/clock/advance", json!({ "seconds": 86_400 })).await.expect(200);
    let pending = api.start(NUMBER).await.expect(201);
    let code = pending["test_code"].as_str().unwrap();
    server.stop();
    std::fs::remove_file(data_dir(dir.path()).join("dev-clock")).unwrap();

    for attempt in 0..2 {
        let server = program.start();
        let api = Api::of(&server);
        assert_eq!(api.get("/healthz").await.status, 200);
        assert_eq!(api.get("/readyz").await.problem(503, "store_unavailable")["reason"], "clock_went_back");
        let refused = api.start("+14155550181").await;
        assert!(refused.retry_after.is_some(), "{attempt}");
        assert_eq!(refused.problem(503, "store_unavailable")["reason"], "clock_went_back");
        assert_eq!(api.check(NUMBER, code).await.problem(503, "store_unavailable")["reason"], "clock_went_back");
        assert_eq!(api.messages("+14155550181").await.len(), 0);
        server.stop();
    }

    let doctor = Program::new(dir.path(), &["doctor", "--accept-clock"]).output();
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&doctor.stderr));
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("is accepted") && said.contains("void"), "{said}");
    let server = program.start();
    let api = Api::of(&server);
    assert_eq!(api.get("/readyz").await.status, 200);
    let void = api.check(NUMBER, code).await;
    assert!(void.status >= 400, "a code from before is void: {}", void.text);
    let fresh = api.start("+14155550181").await.expect(201);
    let fresh = api.check("+14155550181", fresh["test_code"].as_str().unwrap()).await.expect(200);
    assert_eq!(fresh["valid"], true);
    server.stop();
}
