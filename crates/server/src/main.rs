//! The one binary, `verifyd`.

use std::process::ExitCode;

fn main() -> ExitCode {
    verifyd_server::cli::main()
}
