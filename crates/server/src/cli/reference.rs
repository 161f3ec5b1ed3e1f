//! `docs/cli.md` is made from the definitions of the commands, and must be what they say now.

use std::fmt::Write;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use super::Cli;
use super::client::{key, server};
use super::exit::Exit;
use crate::config::{FILE_VARIABLE, URL_VARIABLE};

const HEAD: &str = "# Command line

`verifyd --help` lists the commands, `verifyd COMMAND --help` what each takes. `start`, `check`, `show`, `resend`, `cancel`, `limits`, `preview`, `forget`
and `unlock` ask a running server over its [API](api.md); the others work on this machine.

- **No secret is a flag or an argument**: every user of a machine can read the command lines of all processes. API keys come from a file, the environment or standard
  input, codes from a prompt that does not show them or from standard input. A key or a code on the command line is refused with exit code 2.
- **`--json`** makes standard output exactly one JSON document (`parse`: one a number): the result, or `{\"error\": {\"code\", \"message\", \"exit_code\", …}}` with the
  server's problem document under `problem`. Without it errors go to standard error. What the command line itself gets wrong is told on standard error, in either case.
- **Colours** are for terminals; `NO_COLOR` switches them off, `CLICOLOR_FORCE=1` on.
- `verifyd completions bash > /etc/bash_completion.d/verifyd` lets the shell complete commands and flags.

```
verifyd start +14155552671 --json | jq -r .id
printf '%s\\n' \"$code\" | verifyd check +14155552671 && echo the number is theirs
verifyd limits +14155552671
verifyd doctor || echo something is to be mended
```

This page is made from the code: `VERIFYD_WRITE_DOCS=1 cargo test -p verifyd-server --lib the_command_line_page` writes it anew.
";

const VARIABLES: [(&str, &str); 7] = [
    (URL_VARIABLE, "Where the server is, for commands that talk to one."),
    (key::KEY_VARIABLE, "The API key to present; a server takes it as a key with all rights."),
    (key::KEY_FILE_VARIABLE, "A file that holds the API key."),
    (
        FILE_VARIABLE,
        "The configuration file; every key of it has a variable too, see [configuration.md](configuration.md).",
    ),
    ("NO_COLOR", "Not empty: no colours."),
    ("CLICOLOR_FORCE", "Not `0`: colours even where there is no terminal."),
    ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "The way to a server that is not on this machine."),
];

/// The page. Writing to a String cannot fail.
fn page() -> Result<String, std::fmt::Error> {
    let mut page = String::from(HEAD);
    page.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (number, meaning) in Exit::table() {
        writeln!(page, "| {number} | {meaning} |")?;
    }
    page.push_str("\n## Environment\n\n| variable | meaning |\n|---|---|\n");
    for (name, meaning) in VARIABLES {
        writeln!(
            page,
            "| {} | {meaning} |",
            name.split(", ").map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        )?;
    }
    writeln!(
        page,
        "\nWithout any of them commands ask <{}>, and a server on this machine with the public key `dev`.",
        server::DEFAULT_URL
    )?;
    let mut command = Cli::command();
    command.build();
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        section(&mut page, command, "verifyd")?;
    }
    Ok(page)
}

fn section(page: &mut String, command: &Command, above: &str) -> std::fmt::Result {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    writeln!(page, "\n## `{name}`\n\n{about}{}", if about.ends_with('.') { "" } else { "." })?;
    let nested: Vec<_> = command.get_subcommands().filter(|command| command.get_name() != "help").collect();
    if nested.is_empty() {
        let mut usage = command.clone();
        let usage = usage.render_usage().to_string();
        writeln!(page, "\n```\n{}\n```", usage.trim_start_matches("Usage: "))?;
        let shown = |arg: &&Arg| !arg.is_hide_set() && arg.get_id() != "help";
        let arguments: Vec<&Arg> = command.get_arguments().filter(shown).collect();
        if !arguments.is_empty() {
            page.push_str("\n| argument | meaning |\n|---|---|\n");
        }
        for arg in arguments {
            writeln!(page, "| {} | {} |", written(arg), meaning(arg))?;
        }
    }
    nested.into_iter().try_for_each(|command| section(page, command, &name))
}

fn written(arg: &Arg) -> String {
    let takes = arg.get_num_args().is_none_or(|range| range.takes_values());
    let names: Vec<_> = arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>")).collect();
    match arg.get_long() {
        Some(long) if takes => format!("`--{long} {}`", names.join(" ").replace('|', "\\|")),
        Some(long) => format!("`--{long}`"),
        None => format!("`{}`", names.join(" ").replace('|', "\\|")),
    }
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if !text.ends_with(['.', ']']) {
        text.push('.');
    }
    let takes = arg.get_num_args().is_none_or(|range| range.takes_values());
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes && defaults.iter().any(|default| !default.is_empty()) {
        text.extend([" Default: `", &defaults.join(" "), "`."]);
    }
    let possible = arg.get_possible_values();
    if takes && !possible.is_empty() {
        let names: Vec<_> = possible.iter().map(|value| format!("`{}`", value.get_name())).collect();
        text.extend([" One of ", &names.join(", "), "."]);
    }
    text.replace('|', "\\|")
}

#[test]
fn the_command_line_page_is_what_the_commands_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let wanted = page().unwrap();
    if std::env::var_os("VERIFYD_WRITE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/cli.md is not made from this code; it says itself how to write it anew");
    for (number, _) in Exit::table() {
        assert!(found.contains(&format!("\n| {number} | ")));
    }
}

/// Doc comments become help: what must not be there is caught here.
#[test]
fn every_command_and_argument_says_what_it_is() {
    fn look(command: &Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            assert!(arg.get_help().is_some(), "{} {}", command.get_name(), arg.get_id());
        }
        command.get_subcommands().filter(|command| command.get_name() != "help").for_each(look);
    }
    look(&Cli::command());
}
