//! Phone-number verification as a library: the rules of the verifyd service in your own process, without an HTTP server.
//!
//! A [`Verifier`] runs the whole life of a verification over any store and any sender:
//!
//! ```
//! # #[cfg(feature = "senders")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use verifyd::senders::inbox::{Inbox, InboxSender};
//! use verifyd::{StartRequest, Verifier};
//!
//! let inbox = Arc::new(Inbox::new()); // in production: senders::twilio::TwilioSender
//! let sender = Arc::new(InboxSender::new(inbox.clone()));
//! let verifier = Verifier::builder("Acme").default_region("US").sender(sender).build()?;
//!
//! let started = verifier.start(StartRequest::new("(415) 555-2671")).await?;
//! let typed = inbox.messages(None)[0].code.expose().to_owned();
//! let checked = verifier.check(started.verification.id, &typed).await?;
//! assert!(checked.valid);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "senders"))]
//! # fn main() {}
//! ```
//!
#![cfg_attr(
    feature = "senders",
    doc = "[`SmsService`] is for those who store codes themselves: it sends them within limits, and compares them.\n"
)]
//! # What is where
//!
//! | module | holds |
//! |---|---|
//! | the root | [`Verifier`], its builder, what its methods take and give |
//! | [`service`] | a tenant's settings and limits |
//! | [`phone`], [`code`], [`keys`] | numbers, codes and keys, each parsed once |
//! | [`sender`], [`store`], [`clock`], [`random`] | the ports: implement one to bring your own |
//! | `senders` (feature `senders`) | Twilio, the inbox, test numbers |
//! | `embedded` (feature `embedded`) | the durable store |
//! | `testing` (feature `testing`) | fakes, and the contract suites for your own stores and senders |
//!
//! Without default features only the rules and the memory store are compiled: no HTTP client, no TLS, no files.

mod builder;
#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "senders")]
pub mod sms;
mod verifier;

pub use builder::{BuildError, VerifierBuilder};
#[cfg(feature = "senders")]
pub use sms::{SmsError, SmsService, SmsSettings, get_sms_service};
pub use verifier::Verifier;
pub use verifyd_core::id::{DeliveryId, ServiceId, VerificationId};
pub use verifyd_core::verification::{Delivery, Verification, VerificationStatus};
pub use verifyd_core::verifier::{
    CheckTarget, Checked, Forgotten, LimitsReport, Preview, ResendRequest, StartRequest, Started, VerifyError,
};

/// A tenant's settings, limits and language.
pub mod service {
    pub use verifyd_core::limits::{LimitName, ParseRateError, Rate, Standing};
    pub use verifyd_core::message::{
        AppHash, Brand, BrandError, Locale, OriginHost, ParseAppHashError, ParseHostError, ParseLocaleError,
    };
    pub use verifyd_core::service::{
        Limits, ParseServiceNameError, Service, ServiceError, ServiceName, ServiceSettings,
    };
    pub use verifyd_core::store::Rules;
}

/// Phone numbers: parsed to E.164, shown with four digits, judged by a policy.
pub mod phone {
    pub use verifyd_core::phone_number::{
        NumberPolicy, NumberPrefix, NumberType, NumberTypes, ParseNumberPrefixError, ParseNumberTypeError,
        ParseRegionError, PhoneNumber, PhoneNumberError, Region,
    };
}

/// Codes: made without bias, never printed.
pub mod code {
    pub use verifyd_core::code::{CodeError, CodeLength, VerificationCode};
}

/// Keys: what turns a number or a code into something a store may hold.
pub mod keys {
    pub use verifyd_core::keys::{
        CodeDigest, KeyRing, KeyRingError, KeyTag, MasterKey, PhoneHash, Sealed, TaggedDigest,
    };
}

/// The sender port: delivery of one message. Its documentation says how to write one in four steps.
pub mod sender {
    pub use verifyd_core::message::{Encoding, MessageText, Segments};
    pub use verifyd_core::sender::{
        Channel, DeliveryStatus, Message, ParseChannelError, Price, Receipt, SendError, SendErrorKind, Sender,
    };
}

/// The store port with its contract, the pure state machine behind two of its implementations, and the one in memory.
pub mod store {
    pub use verifyd_core::memory::MemoryStore;
    pub use verifyd_core::store::state::{self, StateOptions};
    pub use verifyd_core::store::{
        Admission, AdmitOutcome, Admitted, BegunReply, CancelOutcome, CheckOutcome, CheckRequest, CodeSecret,
        DeliveryRecord, FinishReply, ForgetOutcome, GuessTarget, IllegalMove, InfoOutcome, InfoRequest, LimitStanding,
        Loaded, MAX_CLOCK_STEP_BACK, NewVerification, QuotaCharge, QuotaKey, REPLY_KEPT, REPLY_LEASE,
        REPLY_RETRY_AFTER, Refusal, ReplyKey, ReplyRequest, ReplySubject, RequestDigest, SealedReply, SendTarget,
        SettleRequest, Settlement, Status, Store, StoreError, VerificationRecord, VerificationStanding,
    };
}

/// The clock port: the only way a rule learns the time.
pub mod clock {
    pub use verifyd_core::clock::{Clock, DevelopmentClock, SystemClock, Timestamp};
}

/// Signed proofs of an approval, which others verify without asking; see [`VerifierBuilder::proofs`].
pub mod proof {
    pub use verifyd_core::proof::{
        DEFAULT_PROOF_TTL, Issuer, MAX_PROOF_TTL, MIN_PROOF_TTL, PROOF_TYPE, ParseIssuerError, Proof, ProofError,
        ProofSettings, ProofSubject,
    };
}

/// The randomness port.
pub mod random {
    pub use verifyd_core::random::{Random, RandomError, SystemRandom};
}

#[cfg(feature = "senders")]
pub use verifyd_senders as senders;

#[cfg(feature = "testing")]
pub use verifyd_core::{fleet_store_contract_tests, sender_contract_tests, store_contract_tests, testing};
