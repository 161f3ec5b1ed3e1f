//! What can happen in the model: small, printable, and meaningful in any order, so that lists can be shortened by hand.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::Rate;
use crate::store::Rules;

/// What a guess is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// The right code.
    Right,
    /// Another code of the same length.
    Wrong,
    /// A code with one digit more.
    WrongLength,
}

/// A set of rules that a reload switches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// The documented defaults.
    Documented,
    /// No waiting times, few sends and guesses, short window.
    Strict,
    /// Waiting times between guesses, many sends, long waits near the end of a life.
    Patient,
}

/// One operation; one that makes no sense where it stands does nothing. Numbers pick a phone, service or address, or count back from the newest verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the indexes that the documentation of the type explains")]
pub enum Op {
    /// A start; `code` and `purpose` are the caller's own.
    Start { service: u8, phone: u8, address: Option<u8>, code: Option<u8>, purpose: Option<u8> },
    /// A resend, perhaps by a stranger.
    Resend { back: u8, address: Option<u8>, stranger: bool },
    /// A guess by id, perhaps by a stranger.
    Check { back: u8, guess: Guess, stranger: bool },
    /// A guess by number; right, wrong or too long for the newest verification of the number.
    CheckNumber { service: u8, phone: u8, guess: Guess },
    /// The last start, resend or guess comes again, because its reply was lost.
    Repeat,
    /// The outcome of the `delivery`-th send, counted from the newest.
    Settle { back: u8, delivery: u8, failed: bool, refund: bool },
    /// The end of a pending verification.
    Cancel { back: u8, stranger: bool },
    /// A look at a verification.
    Load { back: u8 },
    /// A look at a number's limits.
    Info { service: u8, phone: u8, address: Option<u8> },
    /// Time passes.
    Advance { ms: u64 },
    /// Time passes until an instant that an answer told, or the millisecond before it.
    AdvanceToTold { back: u8, before: bool },
    /// The clock goes back.
    StepBack { ms: u64 },
    /// An operator accepts the clock as it is, if it went back too far.
    AcceptClock,
    /// The process ends and begins again.
    Restart,
    /// Other rules.
    Reload(Profile),
    /// Another key makes new codes from here on; up to three are live.
    RotateKey,
    /// A number is forgotten, by one service or by all.
    Forget { service: Option<u8>, phone: u8 },
    /// An operator lifts the lock of many failures in a row.
    Unlock { service: u8, phone: u8 },
    /// The store drops what is due.
    Purge,
}

impl Op {
    /// Whether it is about one clock for the whole store, which may go back.
    pub(super) const fn needs_one_clock(self) -> bool {
        matches!(self, Self::StepBack { .. } | Self::AcceptClock)
    }
}

impl Profile {
    /// Its rules.
    pub(super) fn rules(self) -> Rules {
        let rate = |count, seconds| Rate::new(count, Duration::from_secs(seconds)).unwrap();
        let delays =
            |seconds: &[u64]| -> Arc<[Duration]> { seconds.iter().copied().map(Duration::from_secs).collect() };
        let documented = Rules {
            sends_per_phone: rate(5, 3600),
            sends_per_phone_all_services: rate(10, 86_400),
            sends_per_verification: 5,
            checks_per_verification: 5,
            failed_checks_per_phone: rate(10, 86_400),
            failed_checks_in_a_row: 100,
            resend_delays: delays(&[30, 60, 120, 300]),
            check_delays: delays(&[]),
        };
        match self {
            Self::Documented => documented,
            Self::Strict => Rules {
                sends_per_phone: rate(3, 900),
                sends_per_phone_all_services: rate(4, 86_400),
                sends_per_verification: 2,
                checks_per_verification: 3,
                failed_checks_per_phone: rate(4, 86_400),
                failed_checks_in_a_row: 6,
                resend_delays: delays(&[]),
                ..documented
            },
            Self::Patient => Rules {
                sends_per_phone: rate(40, 3600),
                sends_per_phone_all_services: rate(100, 86_400),
                sends_per_verification: 20,
                checks_per_verification: 8,
                failed_checks_per_phone: rate(50, 86_400),
                failed_checks_in_a_row: 12,
                resend_delays: delays(&[1, 400]),
                check_delays: delays(&[1, 2, 250]),
            },
        }
    }

    /// Sends by address: count and window.
    pub(super) fn per_address(self) -> Rate {
        let (count, seconds) = match self {
            Self::Documented => (30, 3600),
            Self::Strict => (2, 600),
            Self::Patient => (7, 3600),
        };
        Rate::new(count, Duration::from_secs(seconds)).unwrap()
    }
}
