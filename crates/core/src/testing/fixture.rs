//! A verifier ready to be tested: memory store, fake clock, recording sender, known keys.

use std::sync::Arc;

use super::{FakeClock, FaultyStore, RecordingSender, SeededRandom};
use crate::code::CodeLength;
use crate::keys::{KeyRing, MasterKey};
use crate::memory::MemoryStore;
use crate::phone_number::NumberPolicy;
use crate::proof::{DEFAULT_PROOF_TTL, ProofIssuer, ProofSettings, ProofSubject};
use crate::routing::Senders;
use crate::sender::Sender;
use crate::service::{Limits, Service, ServiceSettings};
use crate::store::Store;
use crate::verifier::{DEFAULT_SEND_DEADLINE, StartRequest, Verifier, VerifierParts};

/// The master key that the fakes call `name`: its bytes follow from the name, so it is no secret.
///
/// # Panics
/// If `name` is no name of a key.
#[must_use]
#[expect(clippy::expect_used, reason = "a fixture that cannot be made must stop the test")]
pub fn test_master_key(name: &str) -> MasterKey {
    let mut bytes = [7; 32];
    bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    MasterKey::new(name, bytes).expect("a name of a key")
}

/// A key ring of the named test keys; the last name carries the index, as after rotations that began with it.
///
/// # Panics
/// If there is no name, or a bad one.
#[must_use]
#[expect(clippy::expect_used, reason = "a fixture that cannot be made must stop the test")]
pub fn test_keys(names: &[&str]) -> Arc<KeyRing> {
    let keys: Vec<MasterKey> = names.iter().map(|name| test_master_key(name)).collect();
    Arc::new(KeyRing::new(&keys, names.last().copied()).expect("a ring of test keys"))
}

/// An issuer of proofs that calls itself `https://verify.test`, with the keys of `keys` and the documented life.
///
/// # Panics
/// Never: the settings are within bounds.
#[must_use]
#[expect(clippy::expect_used, reason = "a fixture that cannot be made must stop the test")]
pub fn test_proofs(keys: &KeyRing) -> Arc<ProofIssuer> {
    let settings = ProofSettings { issuer: "https://verify.test".parse().expect("an issuer"), ttl: DEFAULT_PROOF_TTL };
    Arc::new(ProofIssuer::new(settings, keys).expect("an issuer of proofs"))
}

/// The documented defaults for the brand `Acme` with region `US`, named `default`.
///
/// # Panics
/// Never: the figures are within bounds.
#[must_use]
#[expect(clippy::expect_used, reason = "a fixture that cannot be made must stop the test")]
pub fn test_settings() -> ServiceSettings {
    ServiceSettings {
        name: "default".parse().expect("a name"),
        brand: "Acme".parse().expect("a brand"),
        code_length: CodeLength::default(),
        ttl: std::time::Duration::from_secs(600),
        default_region: Some("US".parse().expect("a region")),
        numbers: NumberPolicy::default(),
        limits: Limits::documented().expect("the documented limits"),
        custom_codes: false,
        locale: "en".parse().expect("a locale"),
        do_not_share_warning: false,
        web_otp_host: None,
        proof_subject: ProofSubject::default(),
    }
}

/// The service of [`test_settings`].
///
/// # Panics
/// Never: the settings are within bounds.
#[must_use]
#[expect(clippy::expect_used, reason = "a fixture that cannot be made must stop the test")]
pub fn test_service() -> Arc<Service> {
    Arc::new(Service::new(test_settings()).expect("valid settings"))
}

/// What may differ from the usual test verifier.
#[derive(Debug)]
pub struct TestVerifierOptions {
    /// Settings of the service.
    pub settings: ServiceSettings,
    /// The store; it is wrapped in a [`FaultyStore`].
    pub store: Arc<dyn Store>,
    /// Whether replies show codes of messages that stay here.
    pub expose_codes: bool,
    /// Whether the sender's messages stay here.
    pub stays_here: bool,
    /// Names of the keys, the current one first.
    pub keys: &'static [&'static str],
    /// Seed of the randomness.
    pub seed: u64,
}

impl Default for TestVerifierOptions {
    fn default() -> Self {
        Self {
            settings: test_settings(),
            store: Arc::new(MemoryStore::default()),
            expose_codes: false,
            stays_here: false,
            keys: &["test"],
            seed: 1,
        }
    }
}

/// A verifier with its parts in reach.
#[derive(Debug)]
pub struct TestVerifier {
    /// The verifier.
    pub verifier: Verifier,
    /// Its service.
    pub service: Arc<Service>,
    /// Its clock.
    pub clock: Arc<FakeClock>,
    /// Its only sender.
    pub sender: Arc<RecordingSender>,
    /// Its store.
    pub store: Arc<FaultyStore>,
}

impl TestVerifier {
    /// A number that the fixtures send to.
    pub const NUMBER: &'static str = "+14155552671";

    /// The usual one.
    #[must_use]
    pub fn new() -> Self {
        Self::with(TestVerifierOptions::default())
    }

    /// One with `options`.
    ///
    /// # Panics
    /// If the settings are out of bounds.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a fixture that cannot be made must stop the test")]
    pub fn with(options: TestVerifierOptions) -> Self {
        let service = Arc::new(Service::new(options.settings).expect("valid settings"));
        let clock = Arc::new(FakeClock::default());
        let sender = Arc::new(RecordingSender::new(options.stays_here));
        let store = Arc::new(FaultyStore::new(options.store));
        let keys = test_keys(options.keys);
        let verifier = Verifier::new(VerifierParts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            senders: Senders::new(vec![Arc::clone(&sender) as Arc<dyn Sender>]),
            clock: Arc::clone(&clock) as Arc<dyn crate::clock::Clock>,
            random: Arc::new(SeededRandom::new(options.seed)),
            proofs: Some(test_proofs(&keys)),
            history: None,
            keys,
            send_deadline: DEFAULT_SEND_DEADLINE,
            expose_codes: options.expose_codes,
        });
        Self { verifier, service, clock, sender, store }
    }

    /// A start for `to` and nothing else.
    #[must_use]
    pub fn request(to: &str) -> StartRequest {
        StartRequest { to: to.to_owned(), ..StartRequest::default() }
    }
}

impl Default for TestVerifier {
    fn default() -> Self {
        Self::new()
    }
}
