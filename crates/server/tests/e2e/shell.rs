//! What shells make of the commands: completions, pipes that close, colours.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::Program;

#[test]
fn bash_accepts_the_completions() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = Program::new(dir.path(), &["completions", shell]).output();
        assert!(output.status.success() && output.stdout.len() > 1000, "{shell}");
        if shell != "bash" {
            continue;
        }
        let file = dir.path().join("completions");
        std::fs::write(&file, &output.stdout).unwrap();
        // Loaded in a shell that then completes with it: accepted, and it knows the commands.
        let script = "set -eu; bash -n \"$1\"; . \"$1\"; COMP_WORDS=(verifyd comp); COMP_CWORD=1; \
                      _verifyd verifyd comp verifyd; echo \"${COMPREPLY[@]}\"";
        let bash = Command::new("bash").args(["-c", script, "bash", file.to_str().unwrap()]).output();
        let Ok(bash) = bash else {
            eprintln!("SKIPPED: there is no bash on this machine");
            continue;
        };
        assert_eq!(String::from_utf8_lossy(&bash.stdout), "completions\n", "{}", String::from_utf8_lossy(&bash.stderr));
    }
    assert_eq!(Program::new(dir.path(), &["completions", "cmd"]).output().status.code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["config", "print"][..], &["completions", "bash"], &["keys", "list"], &["doctor", "--offline"]] {
        let program = Program::new(dir.path(), args).with("SMS_MOCK_MODE", "true");
        let mut child = program.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{args:?}");
    }
    // More lines than a pipe holds, of which one is read.
    let mut command = Program::new(dir.path(), &["parse"]).command();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let lines = "+14155552671\n".repeat(10_000);
        // It stops reading when nobody reads it.
        drop(stdin.write_all(lines.as_bytes()));
    });
    let mut line = String::new();
    let mut stdout = BufReader::with_capacity(64, child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    assert!(line.starts_with("{\"input\":\"+14155552671\",\"valid\":true"), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    writer.join().unwrap();
}

#[test]
fn colours_come_only_where_they_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let doctor = Program::new(dir.path(), &["doctor", "--offline"]).with("SMS_MOCK_MODE", "true");
    let coloured = |program: &Program| program.output().stdout.contains(&0x1b);
    assert!(!coloured(&doctor));
    let forced = doctor.with("CLICOLOR_FORCE", "1");
    assert!(coloured(&forced));
    assert!(!coloured(&forced.clone().args(&["--json"])));
}

#[test]
fn numbers_are_parsed_from_arguments_and_from_lines() {
    let dir = tempfile::tempdir().unwrap();
    let lines = |args: &[&str], input: &str| -> Vec<Value> {
        let output = Program::new(dir.path(), args).output_with(input);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let given = lines(&["parse", "--region", "GB", "020 7946 0123", "12\n34"], "");
    assert_eq!((given.len(), given[0]["e164"].as_str()), (2, Some("+442079460123")));
    for numbers in [&["parse", ""][..], &["parse", "", ""], &["parse", "1", ""]] {
        assert_eq!(lines(numbers, "").len(), numbers.len() - 1, "{numbers:?}");
    }
    assert_eq!(lines(&["parse", "--json"], "+14155552671\n")[0]["region"], "US");
    let refused = Program::new(dir.path(), &["parse", "--region", "Utopia", "--json"]).output();
    let error: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((refused.status.code(), error["error"]["code"].as_str()), (Some(2), Some("usage")));
}
