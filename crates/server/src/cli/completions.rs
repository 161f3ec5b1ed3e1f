//! `verifyd completions bash|zsh|fish|…`: what a shell needs to complete commands and flags.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, failed};

/// `verifyd completions`
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

/// Runs the command to its exit code.
pub(super) fn run(args: &CompletionsArgs) -> ExitCode {
    match io::stdout().write_all(&script(args.shell)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => failed(&error),
        _ => ExitCode::SUCCESS,
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "verifyd", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_has_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for word in ["preview", "completions", "idempotency-key", "accept-clock"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
