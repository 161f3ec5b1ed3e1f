//! The flow: start, resend, check, cancel and the rest. The only place that strings ports and rules together.
//!
//! A start runs from admission to the recorded outcome whatever its caller does: one that hangs up changes nothing about what
//! was admitted, because the rest then runs in a task of its own (`to_the_end`); [`Verifier::drain`] waits for all of them.

mod error;
mod history;
mod identity;
mod proof;
mod read;
mod reply;
mod send;
mod start;
mod to_the_end;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio_util::task::TaskTracker;

pub use error::VerifyError;
pub use history::{Deliveries, SeenDelivery};
pub use identity::{
    MAX_METADATA_ENTRIES, MAX_METADATA_KEY_BYTES, MAX_METADATA_VALUE_BYTES, MAX_NONCE_BYTES, MAX_PURPOSE_BYTES,
};
pub use read::{Forgotten, LimitsReport, Preview};
pub use reply::{About, Begun, MAX_REPLY_BYTES, Reply, ReplyClaim, RequestScope};

use crate::clock::Clock;
use crate::code::VerificationCode;
use crate::history::Recorder;
use crate::id::VerificationId;
use crate::keys::KeyRing;
use crate::limits::{LimitName, networks_of};
use crate::message::{AppHash, Locale};
use crate::proof::{Proof, ProofIssuer};
use crate::random::Random;
use crate::routing::Senders;
use crate::sender::Channel;
use crate::service::Service;
use crate::store::{QuotaCharge, QuotaKey, RequestDigest, Store};
use crate::verification::Verification;

/// How long a send may take altogether, a wait for a throttled provider included.
pub const DEFAULT_SEND_DEADLINE: Duration = Duration::from_secs(15);

/// Asks for a verification of a number.
#[derive(Clone, Default)]
pub struct StartRequest {
    /// The number: E.164, or national with a region.
    pub to: String,
    /// Region of a national number; else the service's default.
    pub region: Option<String>,
    /// How the message travels.
    pub channel: Channel,
    /// Language of the message; else the service's.
    pub locale: Option<Locale>,
    /// The person's address as the caller saw it; without it no limit by address applies.
    pub client_ip: Option<IpAddr>,
    /// The caller's own code, if the service allows it.
    pub code: Option<VerificationCode>,
    /// The Android app that reads the message.
    pub app_hash: Option<AppHash>,
    /// What the proof is for.
    pub purpose: Option<String>,
    /// Comes back in the proof.
    pub nonce: Option<String>,
    /// The caller's data, returned as given.
    pub metadata: BTreeMap<String, String>,
    /// What tells this request from others, if it may come twice: the second sends nothing.
    pub request: Option<RequestDigest>,
}

impl StartRequest {
    /// A start for `to` and nothing else; the other fields can be set in the literal that takes the rest from here.
    #[must_use]
    pub fn new(to: &str) -> Self {
        Self { to: to.to_owned(), ..Self::default() }
    }
}

impl fmt::Debug for StartRequest {
    /// Without the number as it was typed, the address and the caller's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartRequest")
            .field("channel", &self.channel)
            .field("locale", &self.locale)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// Asks for another message of a pending verification.
#[derive(Clone, Debug, Default)]
pub struct ResendRequest {
    /// How it travels.
    pub channel: Channel,
    /// Language; else that of the start.
    pub locale: Option<Locale>,
    /// The person's address.
    pub client_ip: Option<IpAddr>,
    /// What tells this request from others, if it may come twice: the second sends nothing.
    pub request: Option<RequestDigest>,
}

/// A message went out, or may have; now, or when this very request came before.
#[derive(Clone, Debug)]
pub struct Started {
    /// The verification.
    pub verification: Verification,
    /// Whether this call created it; otherwise one was pending and this was a resend.
    pub created: bool,
}

/// A guess was compared.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The verification after the guess.
    pub verification: Verification,
    /// Whether the guess was right, and so approved it.
    pub valid: bool,
    /// The proof of the approval, if the guess was right and proofs are issued. Nothing else makes one, but the same request that
    /// comes again because its answer was lost ([`Verifier::check_once`]) gets one with the same claims.
    pub proof: Option<Proof>,
}

/// Which verification a guess is for.
#[derive(Clone)]
pub enum CheckTarget {
    /// By its id.
    Id(VerificationId),
    /// By number, with the region of a national one.
    Number {
        /// The number.
        to: String,
        /// Its region.
        region: Option<String>,
    },
}

impl From<VerificationId> for CheckTarget {
    fn from(id: VerificationId) -> Self {
        Self::Id(id)
    }
}

impl fmt::Debug for CheckTarget {
    /// Without the number as it was typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.debug_tuple("Id").field(id).finish(),
            Self::Number { .. } => f.debug_struct("Number").finish_non_exhaustive(),
        }
    }
}

/// What a verifier is made of.
#[derive(Clone, Debug)]
pub struct VerifierParts {
    /// Where verifications live.
    pub store: Arc<dyn Store>,
    /// Who sends.
    pub senders: Senders,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Keys.
    pub keys: Arc<KeyRing>,
    /// Who signs proofs; `None` issues none.
    pub proofs: Option<Arc<ProofIssuer>>,
    /// Who notes what happened, for people to read; `None` keeps no history.
    pub history: Option<Arc<Recorder>>,
    /// How long a send may take.
    pub send_deadline: Duration,
    /// Whether replies show the code of messages that stayed on this machine. Only ever in development.
    pub expose_codes: bool,
}

/// Runs verifications. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Verifier {
    parts: Arc<VerifierParts>,
    tasks: TaskTracker,
    /// Requests that end even if nobody waits for their answer.
    requests: TaskTracker,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier of these parts.
    #[must_use]
    pub fn new(parts: VerifierParts) -> Self {
        Self { parts: Arc::new(parts), tasks: TaskTracker::new(), requests: TaskTracker::new() }
    }

    /// Waits until every send that was admitted has its outcome recorded and every detached request has ended. New starts are still
    /// served meanwhile.
    pub async fn drain(&self) {
        self.requests.close();
        self.requests.wait().await;
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// How many sends are under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.tasks.len()
    }

    /// The charges by address: every network the person's address counts against.
    fn address_charges(&self, service: &Service, client_ip: Option<IpAddr>) -> SmallVec<[QuotaCharge; 3]> {
        let Some(address) = client_ip else { return SmallVec::new() };
        networks_of(address)
            .iter()
            .map(|network| {
                let mut subject = service.id().as_bytes().to_vec();
                subject.extend(network.key_bytes());
                let name = LimitName::SendsPerIp;
                QuotaCharge {
                    name,
                    key: QuotaKey::from_bytes(self.parts.keys.subject_hash(name.as_str(), &subject)),
                    rate: service.settings().limits.sends_per_ip.times(network.factor),
                }
            })
            .collect()
    }
}
