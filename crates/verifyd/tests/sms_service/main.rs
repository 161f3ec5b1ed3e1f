//! `SmsService`: the methods of the seed, line by line, on a fake clock and scripted senders.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests: what cannot go on must fail at once"
)]

mod compares;
mod counts;
mod environment;
mod twilio;

use std::sync::Arc;

use verifyd::sms::{MockMode, SmsService, SmsSettings};
use verifyd::testing::{FakeClock, RecordingSender};
use verifyd::{Verifier, VerifierBuilder};

/// A number for fiction; its last four digits may be shown, the others never.
const NUMBER: &str = "+14155550123";

/// A service with its clock and sender in reach.
struct Scene {
    sms: SmsService,
    clock: Arc<FakeClock>,
    sender: Arc<RecordingSender>,
}

fn parts(clock: &Arc<FakeClock>) -> VerifierBuilder {
    Verifier::builder("Acme").clock(Arc::clone(clock) as Arc<dyn verifyd::clock::Clock>)
}

/// The documented service over a sender that takes everything.
fn scene() -> Scene {
    let clock = Arc::new(FakeClock::default());
    let sender = Arc::new(RecordingSender::default());
    let parts = parts(&clock).sender(Arc::clone(&sender) as Arc<dyn verifyd::sender::Sender>);
    Scene { sms: SmsService::over(SmsSettings::default(), parts).unwrap(), clock, sender }
}

fn mock() -> SmsService {
    SmsService::new(SmsSettings { mock_mode: MockMode::On, ..SmsSettings::default() }).unwrap()
}
