//! Kept replies and the rights of keys: what a caller may no longer do, it is not told either.

use serde_json::json;

use crate::api::Api;
use crate::program::Program;

const KEY: &str = "a-key-that-changes-its-rights";
const CHECK: &str = "/v1/verifications/check";

fn with_rights(program: &Program, dir: &std::path::Path, rights: &str) -> Program {
    let file = format!("[service.other]\nname = \"Other\"\n[[api_keys]]\nname = \"shop\"\nkey = \"{KEY}\"\n{rights}\n");
    std::fs::write(dir.join("verifyd.toml"), file).unwrap();
    program.clone().args(&["--config", "verifyd.toml"]).with("VERIFYD_PROOFS__ENABLED", "true")
}

#[tokio::test]
async fn a_kept_reply_is_for_who_may_still_ask() {
    let dir = tempfile::tempdir().unwrap();
    let serve = Program::serve(dir.path());
    let server = with_rights(&serve, dir.path(), "service = \"default\"").start();
    let api = Api::with_key(&server, KEY);
    let to = json!({ "to": "+14155550199" });
    let started = api.keyed("k", "/v1/verifications", &to).await.unwrap().expect(201);
    let guess = json!({ "to": "+14155550199", "code": started["test_code"] });
    let approved = api.keyed("k", CHECK, &guess).await.unwrap();
    server.stop();

    // Without the scope: no reply, nor what the body would have come to.
    let server = with_rights(&serve, dir.path(), "service = \"default\"\nscopes = [\"unlock\"]").start();
    let api = Api::with_key(&server, KEY);
    let long = json!({ "to": "1".repeat(17_000) });
    for (path, body) in [("/v1/verifications", &to), (CHECK, &guess), (CHECK, &json!({})), (CHECK, &long)] {
        api.keyed("k", path, body).await.unwrap().problem(403, "forbidden");
    }
    server.stop();

    // Given to another tenant: its own requests.
    let server = with_rights(&serve, dir.path(), "service = \"other\"").start();
    let api = Api::with_key(&server, KEY);
    api.keyed("k", CHECK, &guess).await.unwrap().problem(404, "not_found");
    let own = api.keyed("k", "/v1/verifications", &to).await.unwrap();
    assert!(!own.replayed);
    assert_ne!(own.expect(201)["service"], started["service"]);
    server.stop();

    // The rights of before bring the replies of before.
    let server = with_rights(&serve, dir.path(), "service = \"default\"").start();
    let again = Api::with_key(&server, KEY).keyed("k", CHECK, &guess).await.unwrap();
    assert_eq!((again.replayed, again.text), (true, approved.text.clone()));
    assert!(approved.expect(200)["proof"].is_string());
}
