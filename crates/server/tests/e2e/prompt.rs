//! The prompt for a code, at a real terminal: what is typed is not shown, and the terminal is as it was afterwards.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::program::{Program, Running};

const NUMBER: &str = "+14155552671";
const PROMPT: &str = "Code (not shown): ";

/// A terminal with a command at it.
struct Terminal {
    keyboard: File,
    screen: File,
    device: File,
    child: Child,
}

impl Terminal {
    fn check(dir: &std::path::Path, server: &Running) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let device = File::options().read(true).write(true).open(name).unwrap();
        let keyboard = File::from(keyboard);
        let mut command = Program::new(dir, &["check", NUMBER]).with("VERIFYD_URL", server.base()).command();
        command.stdin(device.try_clone().unwrap()).stderr(device.try_clone().unwrap()).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        Self { screen: keyboard.try_clone().unwrap(), keyboard, device, child }
    }

    /// What is on the screen up to `end`.
    fn shown_until(&mut self, end: &str) -> String {
        let (mut shown, mut byte) = (Vec::new(), [0]);
        while !shown.ends_with(end.as_bytes()) {
            assert_eq!(self.screen.read(&mut byte).unwrap(), 1);
            shown.push(byte[0]);
        }
        String::from_utf8(shown).unwrap()
    }

    fn shows_what_is_typed(&self) -> bool {
        tcgetattr(&self.device).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Exit code, standard output, and what came to the screen after the prompt.
    fn end(mut self) -> (Option<i32>, String, String) {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        assert!(self.shows_what_is_typed(), "the terminal is as it was");
        self.device.write_all(b"END").unwrap();
        let shown = self.shown_until("END");
        (code, stdout, shown)
    }
}

#[test]
fn a_code_is_asked_for_and_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::dev(dir.path()).start();
    let start = Program::new(dir.path(), &["start", NUMBER, "--json"]).with("VERIFYD_URL", server.base()).output();
    let started: serde_json::Value = serde_json::from_slice(&start.stdout).unwrap();
    let code = started["test_code"].as_str().unwrap();
    let mut terminal = Terminal::check(dir.path(), &server);
    assert_eq!(terminal.shown_until(PROMPT), PROMPT);
    assert!(!terminal.shows_what_is_typed());
    terminal.keyboard.write_all(format!("9\u{7f}{code}\n").as_bytes()).unwrap();
    let (exit, stdout, shown) = terminal.end();
    assert_eq!((exit, stdout.as_str(), shown.as_str()), (Some(0), "approved  +14155552671\n", "\r\nEND"));
    server.stop();
}

#[test]
fn an_interrupt_at_the_prompt_puts_the_terminal_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::dev(dir.path()).start();
    let mut terminal = Terminal::check(dir.path(), &server);
    terminal.shown_until(PROMPT);
    terminal.keyboard.write_all(b"12\x03").unwrap();
    assert_eq!(terminal.end(), (Some(130), String::new(), "\r\nEND".to_owned()));
    server.stop();
}
