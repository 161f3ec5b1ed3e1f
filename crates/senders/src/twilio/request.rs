//! The request: a form as Twilio's specification has it, and a body that tells whether it was taken up.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use url::form_urlencoded;
use verifyd_core::sender::Message;

use super::config::TwilioConfig;

/// The longest validity period Twilio takes, in seconds.
pub(super) const MAX_VALIDITY_S: u64 = 36_000;

/// The form of a create for `message`. It holds the number and the code.
pub(super) fn form(config: &TwilioConfig, message: &Message) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("To", message.to.e164());
    if let Some(from) = &config.from {
        form.append_pair("From", from);
    }
    if let Some(service) = &config.messaging_service_sid {
        form.append_pair("MessagingServiceSid", service);
    }
    form.append_pair("Body", message.text.expose());
    if let Some(callback) = &config.status_callback {
        form.append_pair("StatusCallback", callback.as_str());
    }
    // Rounded down: a message must not arrive after its code has expired. Twilio takes no less than a second.
    let validity_s = message.validity.as_secs().clamp(1, MAX_VALIDITY_S);
    form.append_pair("ValidityPeriod", &validity_s.to_string());
    form.append_pair("SmartEncoded", if config.smart_encoded { "true" } else { "false" });
    if let Some(risk_check) = config.risk_check {
        form.append_pair("RiskCheck", risk_check.as_str());
    }
    form.finish()
}

/// Whether a connection took a request up. Until then certainly no byte of it was written.
#[derive(Clone, Debug, Default)]
pub(super) struct TakenUp(Arc<AtomicBool>);

impl TakenUp {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A body that notes when it is first asked for.
///
/// The HTTP client asks for a body only after it has encoded the head for an established connection, and before it writes
/// either (hyper 1, `proto/h1/dispatch.rs`). That makes this mark the exact border between "nothing was sent" and "it may
/// have been processed", which the kinds of the client's errors do not tell: one timeout covers both sides of it.
pub(super) struct MarkedBody {
    inner: reqwest::Body,
    taken_up: TakenUp,
}

impl MarkedBody {
    pub(super) fn new(form: &str, taken_up: TakenUp) -> Self {
        Self { inner: reqwest::Body::from(form.to_owned()), taken_up }
    }
}

impl Body for MarkedBody {
    type Data = <reqwest::Body as Body>::Data;
    type Error = <reqwest::Body as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.taken_up.0.store(true, Ordering::SeqCst);
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
