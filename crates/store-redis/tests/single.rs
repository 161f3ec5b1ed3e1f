//! The link to one server: found, lost, stopped, slow, restarted, full. What must hold is in SECURITY.md.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use redis::Value;
use verifyd_core::store::StoreError;
use verifyd_store_redis::link::{ERA_BYTES, Target};
use verifyd_store_redis::testing::{self, Server};
use verifyd_store_redis::{Link, LinkSettings, Script};

fn link(url: &str) -> Link {
    Link::open(LinkSettings::new(Target::parse(url).unwrap())).unwrap()
}

/// Counts, and tells what the link put before the arguments.
fn counting() -> Script {
    Script::new("return {redis.call('INCR', KEYS[1]), ARGV[1], ARGV[2], ARGV[3]}")
}

async fn count(link: &Link, key: &str) -> Result<i64, StoreError> {
    let answer = link.call(&counting(), &[key.as_bytes().to_vec()], vec![b"x".to_vec()]).await?;
    let (count, era, _since, argument): (i64, Vec<u8>, String, String) = redis::from_redis_value(answer).unwrap();
    assert_eq!((era.len() % ERA_BYTES, argument.as_str()), (0, "x"));
    Ok(count)
}

#[tokio::test]
async fn a_script_runs_whether_the_server_knows_it_or_not() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let link = link(&server.url());
    assert_eq!(count(&link, "{a}").await.unwrap(), 1);
    assert_eq!(count(&link, "{a}").await.unwrap(), 2);
    server.run("SCRIPT FLUSH");
    assert_eq!(count(&link, "{a}").await.unwrap(), 3);
    assert_eq!(link.command(b"{a}", &[b"GET", b"{a}"]).await.unwrap(), Value::BulkString(b"3".to_vec()));
}
