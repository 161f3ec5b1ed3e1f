//! What `verifyd config` writes, and its exit codes.

use verifyd_core::clock::Timestamp;

use super::*;
use crate::config::{ConfigFile, Flags, Sources, read_file};

fn load(text: &str) -> Loaded {
    Config::load(&Sources {
        file: Some(ConfigFile { name: "v.toml".to_owned(), text: text.to_owned() }),
        environment: [].into(),
        flags: Flags::default(),
        now: Timestamp::EPOCH,
        read_file,
    })
}

type Command = fn(&Loaded, bool, Streams<'_>) -> io::Result<u8>;

fn run(command: Command, text: &str, json: bool) -> (u8, String, String) {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let code = command(&load(text), json, Streams { output: &mut output, errors: &mut errors }).unwrap();
    (code, String::from_utf8(output).unwrap(), String::from_utf8(errors).unwrap())
}

const BROKEN: &str = "mock = true\nlisten = \"here\"\napi_key = \"hunter 2\"\n";

#[test]
fn check_says_whether_it_is_valid_and_what_is_worth_knowing() {
    let (code, output, errors) = run(check, "mock = true\nservice.default.code_length = 4\n", false);
    assert_eq!((code, output.as_str()), (0, "configuration is valid\n"));
    assert_eq!(
        errors,
        "note: public_url: not set: no delivery receipts are asked for\n\
         warning: service.default.code_length: codes of 4 digits are easier to guess than the 6 that NIST SP 800-63B asks for\n\
         note: api_key: not set: only keys made with verifyd keys create are taken\n"
    );
    let (code, output, errors) = run(check, BROKEN, false);
    assert_eq!((code, output.as_str()), (1, ""));
    assert_eq!(
        errors,
        "error: listen = \"here\" (v.toml, line 2): expected an address and a port, such as 127.0.0.1:8080 or [::]:8080\n\
         error: api_key (v.toml, line 3): expected 1 to 256 printable ASCII characters without spaces\n"
    );
}

#[test]
fn json_is_one_object_on_the_output() {
    let (code, output, errors) = run(check, BROKEN, true);
    assert_eq!((code, errors.as_str()), (1, ""));
    let found: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(found["valid"], false);
    assert_eq!(
        found["errors"][0],
        json!({
            "field": "listen", "value": "\"here\"", "place": "v.toml, line 2",
            "problem": "expected an address and a port, such as 127.0.0.1:8080 or [::]:8080",
        })
    );
    assert_eq!(found["errors"][1]["value"], serde_json::Value::Null);
    let (code, output, _) = run(check, "mock = true", true);
    let found: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!((code, &found["valid"], &found["notes"][0]["level"]), (0, &json!(true), &json!("remark")));
}

#[test]
fn print_shows_what_is_in_force_or_why_not() {
    let (code, output, errors) = run(print, "mock = true\napi_key = \"0123456789abcdef\"\n", false);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(output.contains("\n# api_key = \"****\"  # v.toml, line 2\n"), "{output}");
    let (code, output, _) = run(print, "mock = true", true);
    let found: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!((code, &found["listen"]), (0, &json!("127.0.0.1:8080")));
    let (code, output, errors) = run(print, BROKEN, false);
    assert_eq!((code, output.as_str(), errors.lines().count()), (1, "", 2));
}
