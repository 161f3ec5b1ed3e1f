//! Which sender a message goes to, and why.
//!
//! Today's choice is short: the first sender, in the order of the configuration, that covers the number. A [`Route`] carries
//! its reason, so that a preview can show it.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::phone_number::PhoneNumber;
use crate::sender::Sender;

/// Why a sender was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteReason {
    /// It is a test number of the configuration.
    TestNumber,
    /// It is the first sender that covers the number.
    FirstSender,
}

impl RouteReason {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::TestNumber, Self::FirstSender];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TestNumber => "test_number",
            Self::FirstSender => "first_sender",
        }
    }
}

/// A chosen sender.
#[derive(Clone, Debug)]
pub struct Route {
    /// Who sends.
    pub sender: Arc<dyn Sender>,
    /// Why it.
    pub reason: RouteReason,
}

/// The senders of a verifyd, in order of preference.
#[derive(Clone, Debug, Default)]
pub struct Senders {
    senders: Vec<Arc<dyn Sender>>,
}

impl Senders {
    /// `senders`, the preferred first.
    #[must_use]
    pub fn new(senders: Vec<Arc<dyn Sender>>) -> Self {
        Self { senders }
    }

    /// The route for `to` at `now`; `None` if no sender covers it.
    #[must_use]
    pub fn route(&self, to: &PhoneNumber, now: Timestamp) -> Option<Route> {
        let sender = self.senders.iter().find(|sender| sender.covers(to, now))?;
        let reason = if sender.fixed_code(to).is_some() { RouteReason::TestNumber } else { RouteReason::FirstSender };
        Some(Route { sender: Arc::clone(sender), reason })
    }
}
