//! Short lists of operations that once showed a difference between the store and the oracle. They stay.

use super::op::{Guess, Op, Profile};

const START: Op = Op::Start { service: 0, phone: 0, address: None, code: None, purpose: None };
const START_FROM_ADDRESS: Op = Op::Start { service: 0, phone: 0, address: Some(0), code: None, purpose: None };
const INFO: Op = Op::Info { service: 0, phone: 0, address: Some(0) };
const WRONG: Op = Op::Check { back: 0, guess: Guess::Wrong, stranger: false };

/// Every list with what was wrong.
pub const REPRODUCTIONS: &[(&str, &[Op])] = &[
    (
        "a waiting time outlasted the verification that it belongs to",
        &[
            Op::Reload(Profile::Patient),
            START,
            Op::Advance { ms: 300_000 },
            START,
            START,
            Op::AdvanceToTold { back: 0, before: true },
            START,
            Op::AdvanceToTold { back: 0, before: false },
            START,
        ],
    ),
    (
        "a waiting time between checks was told as a limit on sends",
        &[Op::Reload(Profile::Patient), START, WRONG, Op::Advance { ms: 1_000 }, WRONG, INFO, START],
    ),
    (
        "a refund after its charge had drained freed the charge of another send",
        &[
            START_FROM_ADDRESS,
            Op::Advance { ms: 120_000 },
            Op::Start { service: 0, phone: 1, address: Some(0), code: None, purpose: None },
            Op::Settle { back: 1, delivery: 0, failed: true, refund: true },
            INFO,
        ],
    ),
    (
        "an accepted clock left an address blocked for a day",
        &[START_FROM_ADDRESS, Op::StepBack { ms: 2 * 86_400_000 }, START, Op::AcceptClock, INFO, START_FROM_ADDRESS],
    ),
    (
        "a purge dropped what still counted after a small step back",
        &[START, Op::Advance { ms: 4_200_000 }, Op::Purge, Op::StepBack { ms: 60_000 }, INFO, START],
    ),
    (
        "a purge trusted the clock during a clock fault",
        &[
            START_FROM_ADDRESS,
            Op::StepBack { ms: 400_000 },
            START,
            Op::Advance { ms: 530_000 },
            Op::Purge,
            Op::StepBack { ms: 530_000 },
            INFO,
            Op::AcceptClock,
            INFO,
        ],
    ),
];
