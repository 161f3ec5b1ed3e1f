//! Metrics in the text format of `OpenMetrics`. Every label comes from a closed set: no number, no id, no free text.

use std::fmt;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use verifyd_core::history::Standing;

/// The content type of the exposition.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Code {
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SenderOutcome {
    sender: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SenderLabel {
    sender: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Verb {
    verb: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    route: String,
    status: u16,
}

type Latency<L> = Family<L, Histogram, fn() -> Histogram>;

fn seconds() -> Histogram {
    // 100 µs to about 26 s, the longest a request may take.
    Histogram::new(exponential_buckets(0.0001, 4.0, 10))
}

/// Everything the server counts.
pub struct Metrics {
    registry: Registry,
    starts: Family<Outcome, Counter>,
    checks: Family<Outcome, Counter>,
    refusals: Family<Code, Counter>,
    sends: Family<SenderOutcome, Counter>,
    sender_latency: Latency<SenderLabel>,
    store_latency: Latency<Verb>,
    store_errors: Family<Code, Counter>,
    repeats: Family<Outcome, Counter>,
    requests: Family<Request, Counter>,
    sends_in_flight: Gauge<i64, AtomicI64>,
    history_queued: Gauge<i64, AtomicI64>,
    history_missing: Family<Outcome, Counter>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("verifyd"),
            starts: Family::default(),
            checks: Family::default(),
            refusals: Family::default(),
            sends: Family::default(),
            sender_latency: Family::new_with_constructor(seconds as fn() -> Histogram),
            store_latency: Family::new_with_constructor(seconds as fn() -> Histogram),
            store_errors: Family::default(),
            repeats: Family::default(),
            requests: Family::default(),
            sends_in_flight: Gauge::default(),
            history_queued: Gauge::default(),
            history_missing: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("starts", "Starts and resends by outcome", self.starts.clone());
        registry.register("checks", "Guesses compared, by outcome", self.checks.clone());
        registry.register("refusals", "Requests refused, by problem code", self.refusals.clone());
        registry.register("sends", "Messages handed to senders, by outcome", self.sends.clone());
        registry.register("sender_seconds", "Time of a send", self.sender_latency.clone());
        registry.register("store_seconds", "Time of a store's verb", self.store_latency.clone());
        registry.register("store_errors", "Failures of the store, by code", self.store_errors.clone());
        registry.register("repeats", "Requests whose Idempotency-Key was known, by outcome", self.repeats.clone());
        registry.register("http_requests", "Requests by route and status", self.requests.clone());
        registry.register("sends_in_flight", "Sends whose outcome is not recorded yet", self.sends_in_flight.clone());
        registry.register(
            "history_queued",
            "Events that wait to be written to the history",
            self.history_queued.clone(),
        );
        registry.register("history_missing", "Events that the history lacks, by why", self.history_missing.clone());
    }

    /// Counts a start that was admitted: `created` or `resent`.
    pub fn started(&self, created: bool) {
        let outcome = if created { "created" } else { "resent" };
        self.starts.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a guess that was compared.
    pub fn checked(&self, valid: bool) {
        let outcome = if valid { "approved" } else { "wrong" };
        self.checks.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a refusal by its problem code.
    pub fn refused(&self, code: &'static str) {
        self.refusals.get_or_create(&Code { code }).inc();
    }

    /// Counts a send and its time.
    pub fn sent(&self, sender: &'static str, outcome: &'static str, took: Duration) {
        self.sends.get_or_create(&SenderOutcome { sender, outcome }).inc();
        self.sender_latency.get_or_create(&SenderLabel { sender }).observe(took.as_secs_f64());
    }

    /// Counts a verb of the store, its time and its failure.
    pub fn stored(&self, verb: &'static str, took: Duration, error: Option<&'static str>) {
        self.store_latency.get_or_create(&Verb { verb }).observe(took.as_secs_f64());
        if let Some(code) = error {
            self.store_errors.get_or_create(&Code { code }).inc();
        }
    }

    /// Counts a request whose `Idempotency-Key` was known: `replayed`, `in_progress` or `body_differs`.
    pub fn repeated(&self, outcome: &'static str) {
        self.repeats.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a request. `route` is the pattern of the router, never the path.
    pub fn requested(&self, route: &str, status: u16) {
        self.requests.get_or_create(&Request { route: route.to_owned(), status }).inc();
    }

    /// The exposition.
    #[must_use]
    pub fn render(&self, sends_in_flight: usize, history: Standing) -> String {
        let Standing { queued, shed, lost } = history;
        self.history_queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
        for (outcome, total) in [("shed", shed), ("lost", lost)] {
            let counter = self.history_missing.get_or_create(&Outcome { outcome });
            counter.inc_by(total.saturating_sub(counter.get()));
        }
        self.sends_in_flight.set(i64::try_from(sends_in_flight).unwrap_or(i64::MAX));
        let mut out = String::new();
        match text::encode(&mut out, &self.registry) {
            Ok(()) => out,
            Err(fmt::Error) => String::new(),
        }
    }
}
