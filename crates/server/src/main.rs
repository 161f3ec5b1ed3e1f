//! The one binary, `verifyd`.

use std::process::ExitCode;

/// A request allocates about a hundred times; see docs/BENCHMARKS.md for what this saves.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let code = verifyd_server::cli::main();
    verifyd_server::telemetry::flush();
    code
}
