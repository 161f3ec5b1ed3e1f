//! A full disk: 503 while it is full, reads go on, and all is well again once there is room. Needs a file system of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::api::{Api, eventually};
use crate::program::Program;

/// A small file system in a mount namespace that ends with this value, and with the test's process at the latest.
struct SmallDisk {
    holder: Child,
    root: PathBuf,
}

impl SmallDisk {
    /// `None`, after a message, where namespaces are not allowed.
    fn mount(on: &Path) -> Option<Self> {
        let script = format!("mount -t tmpfs -o size=4m tmpfs '{}' && echo mounted && exec cat", on.display());
        let holder = |user: &[&str]| {
            let mut command = Command::new("unshare");
            command.arg("--mount").args(user).args(["sh", "-c", &script]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()
        };
        for user in [&["--map-root-user"][..], &[]] {
            let Some(mut holder) = holder(user) else { continue };
            let mut line = String::new();
            BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let root = PathBuf::from(format!("/proc/{}/root{}", holder.id(), on.display()));
            let disk = Self { holder, root };
            if line == "mounted\n" && std::fs::create_dir(disk.root.join("data")).is_ok() {
                return Some(disk);
            }
        }
        eprintln!("SKIPPED: this machine allows no mount namespace, so no disk can be filled");
        None
    }

    fn filler(&self) -> PathBuf {
        self.root.join("filler")
    }

    /// Leaves not a byte.
    fn fill(&self) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        for piece in [vec![0; 64 << 10], vec![0; 512], vec![0; 1]] {
            while file.write_all(&piece).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

fn number(n: u32) -> String {
    format!("+1415{}", 3_000_000 + n)
}

#[tokio::test]
async fn a_full_disk_refuses_what_must_be_kept_answers_what_is_known_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let on = dir.path().join("disk");
    std::fs::create_dir(&on).unwrap();
    let Some(disk) = SmallDisk::mount(&on) else { return };
    let program = Program::serve(dir.path()).with("VERIFYD_DATA_DIR", disk.root.join("data").to_str().unwrap());
    let mut server = program.start();
    let (mut acknowledged, mut next) = (Vec::new(), 0);
    for kill in [false, true] {
        let api = Api::of(&server);
        let before = api.start(&number(next)).await.expect(201);
        acknowledged.push(before.clone());
        disk.fill();
        // What was reserved ahead may still be used up.
        let mut refused = loop {
            next += 1;
            let answer = api.start(&number(next)).await;
            if answer.status != 201 {
                break answer;
            }
            acknowledged.push(answer.json);
            assert!(next < 20_000, "the disk is not full");
        };
        for _ in 0..3 {
            assert!(refused.retry_after.is_some());
            refused.problem(503, "store_unavailable");
            refused = api.start(&number(next)).await;
        }
        assert_eq!(api.messages(&number(next)).await.len(), 0, "nothing is sent that is not recorded");
        let code = before["test_code"].as_str().unwrap();
        let (id, to) = (before["id"].as_str().unwrap(), before["to"].as_str().unwrap());
        let checked = api.check(to, code).await;
        // An approval is smaller than a start: what is left of the room ahead may just hold it.
        let fitted = checked.status == 200;
        if !fitted {
            checked.problem(503, "store_unavailable");
        }
        let status = if fitted { "approved" } else { "pending" };
        assert_eq!(api.load(id).await.expect(200)["status"], status);
        assert_eq!(api.used(&number(next), "sends_per_phone").await, 0);
        assert_eq!(api.get("/healthz").await.status, 200);
        disk.free();
        eventually("starts work again", || async { api.start(&number(next)).await.status == 201 }).await;
        if !fitted {
            assert_eq!(api.check(to, code).await.expect(200)["valid"], true);
        }
        next += 1;
        if kill {
            server.kill();
        } else {
            server.stop();
        }
        server = program.start();
        let api = Api::of(&server);
        assert_eq!(api.load(id).await.expect(200)["status"], "approved");
        for started in &acknowledged {
            api.load(started["id"].as_str().unwrap()).await.expect(200);
        }
    }
    server.stop();
}
