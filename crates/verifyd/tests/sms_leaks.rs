//! Nothing that is logged or printed holds a code or more than four digits of a number.
//!
//! Alone in its program: whether a log line is wanted is remembered for the whole process.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;
use verifyd::Verifier;
use verifyd::clock::{Clock, SystemClock};
use verifyd::sender::SendErrorKind;
use verifyd::sms::{MockMode, SmsService, SmsSettings};
use verifyd::testing::{Outcome, RecordingSender};

const NUMBER: &str = "+14155550123";
const CODE: &str = "918273";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "current_thread")]
async fn logs_and_debug_forms_hold_four_digits_at_most() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let mut printed = String::new();
    let sender = Arc::new(RecordingSender::default());
    let parts = Verifier::builder("Acme").sender(Arc::<RecordingSender>::clone(&sender));
    let sms = SmsService::over(SmsSettings::default(), parts).unwrap();
    for kind in [SendErrorKind::Unknown, SendErrorKind::Rejected, SendErrorKind::Unavailable] {
        sender.next(Outcome::refused(kind));
    }
    for _ in 0..9 {
        match sms.send_verification_code(NUMBER, CODE).await {
            Ok(sent) => write!(printed, "{sent:?}").unwrap(),
            Err(error) => write!(printed, "{error} {error:?}").unwrap(),
        }
    }
    let mock = SmsService::new(SmsSettings { mock_mode: MockMode::On, ..SmsSettings::default() }).unwrap();
    let sent = mock.send_verification_code(NUMBER, CODE).await.unwrap();
    write!(printed, "{sent:?} {sms:?} {mock:?}").unwrap();
    let expires_at = SystemClock.now() + std::time::Duration::from_secs(60);
    for input in [CODE, "918274", "9182"] {
        write!(printed, "{:?}", sms.validate_verification_code(input, CODE, expires_at)).unwrap();
    }
    write!(printed, "{:?}", sms.send_verification_code("4155550", CODE).await).unwrap();
    drop(guard);
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("0123") && logged.contains("a verification code was sent"), "{logged}");
    assert!(logged.contains("rate_limited"), "{logged}");
    for text in [&logged, &printed] {
        for secret in [CODE, "91827", NUMBER, "14155550123", "4155550"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
