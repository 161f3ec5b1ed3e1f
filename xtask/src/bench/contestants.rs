//! Who is compared with whom, and what is promised of each. A further store or switch is a line of this table.

/// What is run.
pub(super) enum Program {
    /// The bare server of [`super::baseline`].
    Baseline,
    /// `verifyd dev`.
    Verifyd,
}

/// One server of the ratio bench.
pub(super) struct Contestant {
    /// In the printed table.
    pub(super) name: &'static str,
    pub(super) program: Program,
    /// What it is started with, beside the defaults.
    pub(super) variables: &'static [(&'static str, &'static str)],
    /// The most CPU a round trip may cost, as a multiple of the baseline's.
    pub(super) target: Option<f64>,
    /// Whether its latency is compared with that of a durable commit; one of them.
    pub(super) durable: bool,
}

const NO_PROOFS: (&str, &str) = ("VERIFYD_PROOFS__ENABLED", "false");

/// All of them, the baseline first. `verifyd` runs as it comes: every limit on, one log line a request (to a file), the inbox
/// as the sender, which keeps the last thousand messages. No address of a person is given, so the limit by address is idle.
/// Proofs are off but in the row that shows what one signature costs.
pub(super) const CONTESTANTS: &[Contestant] = &[
    Contestant { name: "bare axum", program: Program::Baseline, variables: &[], target: None, durable: false },
    Contestant {
        name: "memory store",
        program: Program::Verifyd,
        variables: &[("VERIFYD_STORE", "memory"), NO_PROOFS],
        target: Some(1.4),
        durable: false,
    },
    Contestant {
        name: "embedded store",
        program: Program::Verifyd,
        variables: &[("VERIFYD_STORE", "embedded"), NO_PROOFS],
        target: Some(1.8),
        durable: true,
    },
    // No target: they show what a proof and the line for each request cost.
    Contestant {
        name: "memory store, with proofs",
        program: Program::Verifyd,
        variables: &[("VERIFYD_STORE", "memory")],
        target: None,
        durable: false,
    },
    Contestant {
        name: "memory store, log off",
        program: Program::Verifyd,
        variables: &[("VERIFYD_STORE", "memory"), NO_PROOFS, ("VERIFYD_LOG", "warn")],
        target: None,
        durable: false,
    },
];
