//! The commands that talk to a server, against a real one: what they print, in both forms, and how they end.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::api::wrong;
use crate::program::{API_KEY, Program, Running};

const NUMBER: &str = "+14155552671";

/// A command line against `server`.
fn client(dir: &Path, server: &Running, args: &[&str]) -> Program {
    Program::new(dir, args).with("VERIFYD_URL", server.base())
}

/// Exit code, standard output and standard error.
fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The exit code and the one document on standard output; standard error is empty.
#[track_caller]
fn document(program: &Program, input: &str) -> (i32, Value) {
    let (code, stdout, stderr) = told(&program.clone().args(&["--json"]).output_with(input));
    assert_eq!(stderr, "", "{stdout}");
    (code, serde_json::from_str(&stdout).unwrap())
}

/// Ids and instants by their kind, so that the shape is left.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(text) if text.len() == 34 && text.is_ascii() => json!(format!("{}…", &text[..2])),
        Value::String(text) if text.len() == 24 && text.ends_with('Z') => json!("(time)"),
        other => other.clone(),
    }
}

#[test]
fn a_number_is_proved_from_a_shell() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::dev(dir.path()).start();
    let client = |args: &[&str]| client(dir.path(), &server, args);
    let (code, started, stderr) = told(&client(&["start", "(415) 555-2671"]).output());
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(started.starts_with("pending  +14155552671\n  id        VE"), "{started}");
    assert!(started.contains("\n  messages  4 left, the next at 20") && !started.contains('\u{1b}'), "{started}");
    let line = |label: &str| {
        let line = started.lines().find_map(|line| line.trim_start().strip_prefix(label)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    let (id, right) = (line("id"), line("code"));

    let (code, stdout, _) = told(&client(&["limits", NUMBER]).output());
    assert_eq!(code, 0);
    assert!(stdout.starts_with("+14155552671: no message may be sent now\n"), "{stdout}");
    assert!(stdout.contains("\n  sends_per_phone                  1   5     4  60 min  now"), "{stdout}");

    let (code, stdout, stderr) = told(&client(&["start", NUMBER]).output());
    assert_eq!((code, stdout.as_str()), (4, ""));
    assert!(
        stderr.starts_with("verifyd: the last message has just been sent; the next must wait\n  try again in "),
        "{stderr}"
    );

    let (code, stdout, stderr) = told(&client(&["check", NUMBER]).output_with(&format!("{}\n", wrong(&right, 1))));
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (3, "wrong code  +14155552671: 4 guesses left\n", ""));
    let (code, stdout, _) = told(&client(&["check", &id]).output_with(&right));
    assert_eq!((code, stdout.as_str()), (0, "approved  +14155552671\n"));
    let (code, _, stderr) = told(&client(&["check", &id]).output_with(&right));
    assert_eq!((code, stderr.as_str()), (7, "verifyd: this verification is approved\n"));
    server.stop();
}

#[test]
fn replies_and_refusals_have_their_shape_in_json() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::dev(dir.path()).start();
    let client = |args: &[&str]| client(dir.path(), &server, args);
    let start = ["start", NUMBER, "--purpose", "login", "--metadata", "cart=7", "--client-ip", "203.0.113.7"];
    let (code, started) = document(&client(&start), "");
    let (id, right) = (started["id"].as_str().unwrap(), started["test_code"].as_str().unwrap());
    assert_eq!((code, &started["status"], &started["metadata"]), (0, &json!("pending"), &json!({"cart": "7"})));

    let (code, refused) = document(&client(&["start", NUMBER, "--purpose", "login"]), "");
    let seconds = refused["error"]["problem"]["retry_after_seconds"].clone();
    let remedy = refused["error"]["remedy"].clone();
    assert_eq!(code, 4);
    assert_eq!(
        shape(&refused),
        json!({"error": {
            "code": "rate_limited",
            "exit_code": 4,
            "message": "the last message has just been sent; the next must wait",
            "remedy": remedy,
            "problem": {
                "type": "urn:verifyd:error:rate_limited", "title": "Too many requests", "status": 429, "code": "rate_limited",
                "detail": "a limit is reached; nothing was spent", "name": "resend_delay", "limit": 1, "remaining": 0,
                "window_seconds": 30, "reset_at": "(time)", "retry_at": "(time)", "retry_after_seconds": seconds,
            },
        }})
    );

    let (code, checked) = document(&client(&["check", NUMBER]), &wrong(right, 1));
    assert_eq!(code, 3);
    let next = shape(&checked)["next_check_at"].clone();
    assert_eq!(
        shape(&checked),
        json!({"id": "VE…", "to": NUMBER, "status": "pending", "valid": false, "checks_remaining": 4, "next_check_at": next})
    );
    let (code, checked) = document(&client(&["check", id]), right);
    assert_eq!((code, &checked["status"], &checked["valid"]), (0, &json!("approved"), &json!(true)));

    let (code, limits) = document(&client(&["limits", NUMBER]), "");
    assert_eq!((code, &limits["to"], &limits["limits"][0]["name"]), (0, &json!(NUMBER), &json!("sends_per_phone")));
    let (code, preview) = document(&client(&["preview", "020 7946 0123", "--region", "GB", "--locale", "de"]), "");
    assert_eq!((code, &preview["to"], &preview["route"]["sender"]), (0, &json!("+442079460123"), &json!("inbox")));
    assert_eq!(document(&client(&["unlock", NUMBER]), ""), (0, json!({"failed_checks_in_a_row_before": 0})));
    assert_eq!(document(&client(&["forget", NUMBER]), ""), (0, json!({"forgotten_verifications": 1})));
    server.stop();
}

#[test]
fn a_verification_is_shown_resent_canceled_and_its_number_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::dev(dir.path()).with("VERIFYD_LIMITS__RESEND_DELAYS", "[]").start();
    let client = |args: &[&str]| client(dir.path(), &server, args);
    let (_, started) = document(&client(&["start", NUMBER, "--nonce", "n\u{1b}[2J"]), "");
    let id = started["id"].as_str().unwrap();
    let (code, resent, _) = told(&client(&["resend", id, "--locale", "fr"]).output());
    assert_eq!((code, resent.matches("sms by inbox: sent").count()), (0, 2), "{resent}");
    let (code, shown, _) = told(&client(&["show", id]).output());
    assert!(code == 0 && shown.contains("\n  nonce     n\u{fffd}[2J\n"), "{shown}");
    let (code, canceled, _) = told(&client(&["cancel", id]).output());
    assert!(code == 0 && canceled.starts_with("canceled  +14155552671\n"), "{canceled}");
    let (code, _, stderr) = told(&client(&["resend", id]).output());
    assert_eq!((code, stderr.as_str()), (7, "verifyd: this verification was canceled\n"));
    let (code, text, _) = told(&client(&["preview", NUMBER]).output());
    assert!(code == 0 && text.starts_with("+14155552671: a start would send\n"), "{text}");
    assert!(text.contains("\n  route     inbox (") && text.contains("1 segment, GSM-7"), "{text}");
    let (code, text, _) = told(&client(&["unlock", NUMBER]).output());
    assert_eq!((code, text.as_str()), (0, "unlocked  wrong guesses in a row were 0, are 0\n"));
    let (code, text, _) = told(&client(&["forget", NUMBER]).output());
    assert!(code == 0 && text.starts_with("forgotten  1 verification;"), "{text}");
    let (code, _, stderr) = told(&client(&["show", id]).output());
    assert_eq!((code, stderr.as_str()), (7, "verifyd: no such verification\n"));
    server.stop();
}

#[test]
fn every_failure_has_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::serve(dir.path()).start();
    let with_key = |args: &[&str]| client(dir.path(), &server, args).with("VERIFYD_API_KEY", API_KEY);
    let error = |program: &Program, input: &str| {
        let (code, document) = document(program, input);
        assert_eq!(document["error"]["exit_code"], code, "{document}");
        (code, document["error"]["code"].as_str().unwrap().to_owned())
    };
    let failed = |code: i32, word: &str| (code, word.to_owned());
    assert_eq!(error(&with_key(&["start", "123"]), ""), failed(1, "invalid_phone_number"));
    assert_eq!(error(&with_key(&["start", NUMBER, "--locale", "xx-yy-zz"]), ""), failed(1, "invalid_request"));
    assert_eq!(error(&with_key(&["check", NUMBER]), ""), failed(2, "usage"));
    assert_eq!(error(&with_key(&["check", NUMBER]), "\n"), failed(2, "usage"));
    assert_eq!(error(&with_key(&["check", NUMBER]), "123456\n"), failed(7, "not_found"));
    // The public key is for `verifyd dev`.
    assert_eq!(error(&client(dir.path(), &server, &["limits", NUMBER]), ""), failed(6, "unauthorized"));
    let nobody = with_key(&["limits", NUMBER]).args(&["--url", "http://127.0.0.1:1"]);
    assert_eq!(error(&nobody, ""), failed(5, "unreachable"));
    let elsewhere = client(dir.path(), &server, &["limits", NUMBER, "--url", "http://192.0.2.1"]);
    assert_eq!(error(&elsewhere, ""), failed(2, "usage"));
    // What clap refuses is told in its words, whatever the form.
    for args in [
        &["start"][..],
        &["limits", NUMBER, "--nope"],
        &["show", "VE12"],
        &["nonsense"],
        &["check", NUMBER, "--timeout", "0s"],
    ] {
        let (code, stdout, stderr) = told(&with_key(args).output());
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}");
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
    server.stop();
}

#[test]
fn keys_come_from_files_the_environment_and_standard_input() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::serve(dir.path()).start();
    let file = dir.path().join("key");
    std::fs::write(&file, format!("{API_KEY}\n")).unwrap();
    let limits = client(dir.path(), &server, &["limits", NUMBER]);
    assert_eq!(document(&limits.clone().args(&["--key", file.to_str().unwrap()]), "").0, 0);
    assert_eq!(document(&limits.clone().with("VERIFYD_API_KEY_FILE", file.to_str().unwrap()), "").0, 0);
    assert_eq!(document(&limits.clone().args(&["--key", "-"]), API_KEY).0, 0);
    assert_eq!(document(&limits.clone().args(&["--key", "dev"]), "").0, 6);
    // The key is the first line, the code the second.
    let start = client(dir.path(), &server, &["start", NUMBER, "--key", "-"]);
    let code = document(&start, API_KEY).1["test_code"].as_str().unwrap().to_owned();
    let check = client(dir.path(), &server, &["check", NUMBER, "--key", "-"]);
    assert_eq!(document(&check, &format!("{API_KEY}\n{code}\n")).0, 0);
    server.stop();
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let key = format!("vd_{}", "5e".repeat(32));
    for (args, secret, why) in [
        (vec!["start", NUMBER, "--key", &key], key.as_str(), "never the key itself"),
        (vec!["start", NUMBER, "--key", "hunter2hunter2"], "hunter2hunter2", "never the key itself"),
        (vec!["check", NUMBER, "834105"], "834105", "the code is no argument"),
        (vec!["start", NUMBER, "--url", "http://me:hunter2@127.0.0.1"], "hunter2", "expected an http or https URL"),
    ] {
        let program = Program::new(dir.path(), &args);
        let (code, stdout, stderr) = told(&program.output());
        assert_eq!((code, stdout.as_str()), (2, ""));
        assert!(stderr.contains(why) && !stderr.contains(secret), "{stderr}");
        let (code, document) = document(&program, "");
        assert_eq!((code, &document["error"]["code"]), (2, &json!("usage")));
        assert!(!document.to_string().contains(secret), "{document}");
    }
}

/// A program that answers one request with these bytes, and gives what it was asked.
fn answering(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut piece = [0; 4096];
        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            let count = stream.read(&mut piece).unwrap();
            asked.extend_from_slice(&piece[..count]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        if answer.is_empty() {
            // Silence until the client gives up.
            while stream.read(&mut piece).is_ok_and(|count| count > 0) {}
        }
        String::from_utf8(asked).unwrap()
    });
    (base, thread)
}

#[test]
fn what_is_no_verifyd_server_is_told_and_gets_the_key_once_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let limits = |base: &str| Program::new(dir.path(), &["limits", NUMBER, "--url", base, "--timeout", "2s"]);
    for (answer, code, word) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", 1, "not_verifyd"),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>", 5, "not_verifyd"),
        ("HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 1, "not_verifyd"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n{", 5, "unreachable"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n", 5, "unreachable"),
        ("garbage\r\n\r\n", 5, "unreachable"),
        ("", 5, "timeout"),
    ] {
        let (base, asked) = answering(answer);
        let (found, document) = document(&limits(&base), "");
        assert_eq!((found, document["error"]["code"].as_str()), (code, Some(word)), "{answer:?} {document}");
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("GET /v1/limits?to=%2B14155552671 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("authorization: Bearer dev\r\n"), "{asked}");
    }
}

#[test]
fn the_idempotency_key_goes_along() {
    let dir = tempfile::tempdir().unwrap();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    for args in [&["start", NUMBER][..], &["check", NUMBER], &["resend", &format!("VE{}", "0".repeat(32))]] {
        let (base, asked) = answering(answer);
        let program = Program::new(dir.path(), args).args(&["--url", &base, "--idempotency-key", "order-17"]);
        assert!(program.output_with("123456").status.code().is_some_and(|code| code == 0 || code == 3));
        let asked = asked.join().unwrap();
        assert!(asked.contains("idempotency-key: order-17\r\n"), "{asked}");
    }
}
