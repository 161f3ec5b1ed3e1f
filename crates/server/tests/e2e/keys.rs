//! `verifyd keys` beside a running server.

use serde_json::Value;

use crate::api::{Api, eventually};
use crate::program::{Program, data_dir};

fn keys(dir: &std::path::Path, args: &[&str]) -> Value {
    let output = Program::new(dir, &["keys"]).args(args).args(&["--json"]).output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_key_works_soon_after_it_is_made_and_no_longer_soon_after_it_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    let server = program.start();
    let made = keys(dir.path(), &["create", "--name", "shop"]);
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let api = Api::with_key(&server, secret);
    let works = |api: Api| async move { api.get("/v1/limits?to=+14155550170").await.status == 200 };
    eventually("the key works", || works(api.clone())).await;
    // The usual scopes end before the metrics.
    api.get("/metrics").await.problem(403, "forbidden");

    for file in std::fs::read_dir(data_dir(dir.path())).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains(secret), "{} holds a secret", path.display());
        }
    }
    let listed = keys(dir.path(), &["list"]);
    assert_eq!((listed[0]["id"].as_str(), listed[0]["name"].as_str()), (Some(id), Some("shop")));
    assert!(listed[0]["revoked_at"].is_null() && !listed.to_string().contains(secret), "{listed}");

    assert_eq!(keys(dir.path(), &["revoke", id])["revoked"], id);
    eventually("the key is refused", || async { !works(api.clone()).await }).await;
    api.start("+14155550170").await.problem(401, "unauthorized");
    assert!(keys(dir.path(), &["list"])[0]["revoked_at"].is_string());
    let again = Program::new(dir.path(), &["keys", "revoke", id]).output();
    assert_eq!(again.status.code(), Some(1));
    server.stop();

    // A revoked key stays revoked, a live one stays live.
    let made = keys(dir.path(), &["create", "--scope", "metrics"]);
    let server = program.start();
    assert_eq!(Api::with_key(&server, secret).start("+14155550170").await.status, 401);
    let live = Api::with_key(&server, made["secret"].as_str().unwrap());
    assert_eq!(live.get("/metrics").await.status, 200);
    live.start("+14155550170").await.problem(403, "forbidden");
    // The log tells whose request was refused.
    let log = server.stop().stderr;
    let refused = log.lines().find(|line| line.contains("forbidden")).unwrap();
    assert!(refused.contains(made["id"].as_str().unwrap()), "{refused}");
}
