//! The verifier through its public interface: memory store, fake clock, recording sender.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: what cannot go on must fail at once"
)]

mod faults;
mod leaks;
mod outcomes;
mod proofs;
mod reading;
mod repeats;
mod requests;
mod sending;

use std::sync::Arc;

use verifyd_core::id::VerificationId;
use verifyd_core::limits::LimitName;
use verifyd_core::testing::{TestVerifier, TestVerifierOptions, test_settings};
use verifyd_core::verifier::{CheckTarget, Checked, StartRequest, Started, VerifyError};

/// Starts for the usual number.
async fn start(test: &TestVerifier) -> Started {
    start_with(test, TestVerifier::request(TestVerifier::NUMBER)).await.expect("a start")
}

async fn start_with(test: &TestVerifier, request: StartRequest) -> Result<Started, VerifyError> {
    test.verifier.start(Arc::clone(&test.service), request).await
}

async fn check(test: &TestVerifier, id: VerificationId, guess: &str) -> Result<Checked, VerifyError> {
    test.verifier.check(&test.service, CheckTarget::Id(id), guess).await
}

/// The code of the last message.
fn last_code(test: &TestVerifier) -> String {
    test.sender.last().expect("a message").code.expose().to_owned()
}

/// How many of a limit the usual number has used.
async fn used(test: &TestVerifier, name: LimitName) -> u32 {
    let report = test.verifier.limits(&test.service, TestVerifier::NUMBER, None, None).await.expect("limits");
    report.info.limits.iter().find(|limit| limit.name == name).expect("the limit").standing.used
}

/// A verifier whose service takes codes of the caller's own and has no waiting times.
fn with_custom_codes() -> TestVerifier {
    let mut settings = test_settings();
    settings.custom_codes = true;
    settings.limits.rules.resend_delays = Arc::from([]);
    TestVerifier::with(TestVerifierOptions { settings, ..TestVerifierOptions::default() })
}
