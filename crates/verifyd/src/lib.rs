//! Phone-number verification as a library: the rules of the verifyd service in your own process, without an HTTP server.
//!
//! Give a [`verifier::Verifier`] a store, a sender, a clock and keys, and it runs the whole life of a verification:
//!
//! ```
//! use std::sync::Arc;
//! use async_trait::async_trait;
//! use verifyd::clock::SystemClock;
//! use verifyd::keys::{KeyRing, MasterKey};
//! use verifyd::memory::MemoryStore;
//! use verifyd::phone_number::NumberPolicy;
//! use verifyd::proof::{DEFAULT_PROOF_TTL, ProofIssuer, ProofSettings};
//! use verifyd::random::SystemRandom;
//! use verifyd::routing::Senders;
//! use verifyd::sender::{DeliveryStatus, Message, Receipt, SendError, Sender};
//! use verifyd::service::{Limits, Service, ServiceSettings};
//! use verifyd::verifier::{CheckTarget, DEFAULT_SEND_DEADLINE, StartRequest, Verifier, VerifierParts};
//!
//! /// A sender that only remembers the code: yours would call a provider.
//! #[derive(Debug, Default)]
//! struct Pigeon(std::sync::Mutex<String>);
//!
//! #[async_trait]
//! impl Sender for Pigeon {
//!     fn name(&self) -> &'static str {
//!         "pigeon"
//!     }
//!
//!     async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
//!         *self.0.lock().unwrap() = message.code.expose().to_owned();
//!         Ok(Receipt { message_id: None, status: DeliveryStatus::Sent, segments: None, price: None })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = Arc::new(Service::new(ServiceSettings {
//!     name: "default".parse()?,
//!     brand: "Acme".parse()?,
//!     code_length: Default::default(),
//!     ttl: std::time::Duration::from_secs(600),
//!     default_region: Some("US".parse()?),
//!     numbers: NumberPolicy::default(),
//!     limits: Limits::documented()?,
//!     custom_codes: false,
//!     locale: Default::default(),
//!     do_not_share_warning: false,
//!     web_otp_host: None,
//!     proof_subject: Default::default(),
//! })?);
//! let keys = KeyRing::new(&[MasterKey::generate("k1", &SystemRandom)?], None)?;
//! let proofs = ProofSettings { issuer: "https://acme.example".parse()?, ttl: DEFAULT_PROOF_TTL };
//! let pigeon = Arc::new(Pigeon::default());
//! let verifier = Verifier::new(VerifierParts {
//!     store: Arc::new(MemoryStore::default()),
//!     senders: Senders::new(vec![pigeon.clone()]),
//!     clock: Arc::new(SystemClock),
//!     random: Arc::new(SystemRandom),
//!     proofs: Some(Arc::new(ProofIssuer::new(proofs, &keys)?)),
//!     keys: Arc::new(keys),
//!     send_deadline: DEFAULT_SEND_DEADLINE,
//!     expose_codes: false,
//! });
//!
//! let request = StartRequest { to: "(415) 555-2671".to_owned(), ..StartRequest::default() };
//! let started = verifier.start(Arc::clone(&service), request).await?;
//! let code = pigeon.0.lock().unwrap().clone();
//! let checked = verifier.check(&service, CheckTarget::Id(started.verification.id), &code).await?;
//! assert!(checked.valid && checked.proof.is_some());
//! # Ok(())
//! # }
//! ```

pub use verifyd_core::*;
