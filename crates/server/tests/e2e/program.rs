//! A child process: how it is started, where it answers, what it said, how it ends.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The API key of servers that are not started by `dev`.
pub(crate) const API_KEY: &str = "e2e-key-with-96-bits-or-more";
/// The longest wait for anything that happens at once on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a state that must come is looked for.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);

const READY: &str = "verifyd is ready on ";

/// A command line with its environment, which holds nothing of ours.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    args: Vec<String>,
    environment: BTreeMap<String, String>,
    dir: PathBuf,
}

impl Program {
    /// `verifyd` with these arguments and nothing in its environment, run in `dir`; its data are in `dir/data`.
    pub(crate) fn new(dir: &Path, args: &[&str]) -> Self {
        let mut environment = BTreeMap::new();
        environment.insert("VERIFYD_DATA_DIR".to_owned(), data_dir(dir).to_str().unwrap().to_owned());
        environment.insert("VERIFYD_LISTEN".to_owned(), "127.0.0.1:0".to_owned());
        Self { args: args.iter().map(|&arg| arg.to_owned()).collect(), environment, dir: dir.to_owned() }
    }

    /// `verifyd dev`
    pub(crate) fn dev(dir: &Path) -> Self {
        Self::new(dir, &["dev"])
    }

    /// `verifyd serve` in mock mode, with [`API_KEY`], codes in replies and no waiting times.
    pub(crate) fn serve(dir: &Path) -> Self {
        Self::new(dir, &["serve"])
            .with("SMS_MOCK_MODE", "true")
            .with("VERIFYD_EXPOSE_CODES", "true")
            .with("VERIFYD_API_KEY", API_KEY)
            .with("VERIFYD_LIMITS__RESEND_DELAYS", "[]")
    }

    /// A variable of the environment; an empty one counts as unset.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Further arguments.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// Another command in the place of the first argument `old`, with the same environment.
    pub(crate) fn replace(&mut self, old: &str, new: &str) {
        assert_eq!(self.args.first().map(String::as_str), Some(old));
        new.clone_into(&mut self.args[0]);
    }

    /// The command as it would be run.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_verifyd"));
        command.args(&self.args).env_clear().envs(&self.environment).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    /// Runs it to its end, for commands that end by themselves.
    pub(crate) fn output(&self) -> Output {
        self.command().output().unwrap()
    }

    /// Runs it to its end with `input` on its standard input.
    pub(crate) fn output_with(&self, input: &str) -> Output {
        let mut command = self.command();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read its input may be gone already.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    }

    /// Runs a server that must refuse to start: exit code 1, and what it said.
    pub(crate) fn refusal(&self) -> String {
        let mut child = Owned(self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let (stdout, stderr) = (child.0.stdout.take().unwrap(), child.0.stderr.take().unwrap());
        let (stdout, stderr) = (Listening::to(stdout, None), Listening::to(stderr, None));
        let status = child.wait();
        let (stdout, stderr) = (stdout.end(), stderr.end());
        assert_eq!(status.code(), Some(1), "{stdout}{stderr}");
        assert!(!stdout.contains(READY), "{stdout}");
        stderr
    }

    /// Starts a server and waits until it says that it is ready.
    pub(crate) fn start(&self) -> Running {
        let mut child = Owned(self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let (sender, ready) = mpsc::channel();
        let stdout = Listening::to(child.0.stdout.take().unwrap(), Some(sender));
        let stderr = Listening::to(child.0.stderr.take().unwrap(), None);
        let Ok(base) = ready.recv_timeout(PATIENCE) else {
            child.kill();
            panic!("not ready: {}{}", stdout.end(), stderr.end());
        };
        Running { child, base, stdout, stderr }
    }
}

/// Where the data of a program in `dir` are.
pub(crate) fn data_dir(dir: &Path) -> PathBuf {
    dir.join("data")
}

/// A child that does not outlive this value.
#[derive(Debug)]
struct Owned(Child);

impl Owned {
    fn kill(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }

    fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the child does not end");
            std::thread::sleep(GLANCE);
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A thread that reads what a child says, so that it never blocks on a full pipe.
#[derive(Debug)]
struct Listening {
    text: Arc<Mutex<String>>,
    thread: JoinHandle<()>,
}

impl Listening {
    fn to(pipe: impl Read + Send + 'static, mut ready: Option<mpsc::Sender<String>>) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&text);
        let thread = std::thread::spawn(move || {
            let mut lines = BufReader::new(pipe);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let said = String::from_utf8_lossy(&line).into_owned();
                heard.lock().unwrap().push_str(&said);
                if let Some(base) = said.trim_end().strip_prefix(READY)
                    && let Some(ready) = ready.take()
                {
                    // Nobody waits any more if the start took too long.
                    drop(ready.send(base.to_owned()));
                }
                line.clear();
            }
        });
        Self { text, thread }
    }

    fn so_far(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn end(self) -> String {
        self.thread.join().unwrap();
        self.text.lock().unwrap().clone()
    }
}

/// What a server left behind when it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// All of its standard output.
    pub(crate) stdout: String,
    /// All of its standard error.
    pub(crate) stderr: String,
}

/// A server that is ready. It is killed if the test ends first.
#[derive(Debug)]
pub(crate) struct Running {
    child: Owned,
    base: String,
    stdout: Listening,
    stderr: Listening,
}

impl Running {
    /// `http://127.0.0.1:PORT`
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    /// What it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// What it has logged so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Sends a signal, such as `TERM`. The shell's own `kill` is on every machine.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.0.id();
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let code = self.child.wait().code();
        Ended { code, stdout: self.stdout.end(), stderr: self.stderr.end() }
    }

    /// Asks it to stop, and holds it to a clean end.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended
    }

    /// `kill -9`
    pub(crate) fn kill(mut self) {
        self.child.kill();
    }
}
