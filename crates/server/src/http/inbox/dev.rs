//! `/dev/clock` moves the clock so that expiry can be tested without waiting; `/dev/outcomes` makes sends fail by number.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use verifyd_core::clock::Clock as _;
use verifyd_senders::inbox::{Outcome, ParseOutcomeError, Script};

use super::error::InboxError;
use super::{Pages, SharedPages, input};
use crate::http::format::rfc3339;
use crate::mock::MoveClockError;

/// The furthest the clock moves in one call: a year.
const MAX_ADVANCE_S: u64 = 31_536_000;
/// The furthest it is ever ahead: beyond a century dates stop being plausible to the programs that read them.
const MAX_OFFSET_S: u64 = 100 * MAX_ADVANCE_S;
/// The most sends a script can be good for; without a number it holds until it is removed.
const MAX_TIMES: u64 = 1_000_000;

/// `{"seconds": 600}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    seconds: u64,
}

/// Where the clock stands.
#[derive(Serialize)]
pub(super) struct ClockState {
    now: String,
    offset_seconds: u64,
}

fn state(pages: &Pages) -> ClockState {
    let clock = &pages.parts.clock;
    ClockState { now: rfc3339(clock.now()).to_string(), offset_seconds: clock.offset().as_secs() }
}

/// `GET /dev/clock`.
pub(super) async fn clock(State(pages): SharedPages) -> Json<ClockState> {
    Json(state(&pages))
}

/// `POST /dev/clock/advance`.
pub(super) async fn advance(
    State(pages): SharedPages,
    headers: HeaderMap,
    body: input::Body,
) -> Result<Json<ClockState>, InboxError> {
    let Advance { seconds } = input::json(&headers, body)?;
    move_clock(pages, seconds).await.map(Json)
}

/// Moves the clock, within its bounds.
pub(super) async fn move_clock(pages: Arc<Pages>, seconds: u64) -> Result<ClockState, InboxError> {
    if !(1..=MAX_ADVANCE_S).contains(&seconds) {
        return Err(InboxError::field("seconds", format!("expected 1 to {MAX_ADVANCE_S}")));
    }
    let moved = pages.parts.mover.move_by(Duration::from_secs(seconds), Duration::from_secs(MAX_OFFSET_S)).await;
    match moved {
        Ok(()) => Ok(state(&pages)),
        Err(MoveClockError::Bound) => Err(InboxError::field("seconds", "the clock would be more than a century ahead")),
        Err(MoveClockError::NotKept(error)) => {
            tracing::error!(%error, "the offset of the development clock could not be kept");
            Err(InboxError::NotKept)
        }
    }
}

/// `{"to": "+14155552671", "outcome": "rejected", "times": 1}`; `times` may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetOutcome {
    pub(super) to: String,
    pub(super) outcome: String,
    #[serde(default)]
    pub(super) times: Option<u64>,
}

/// A script in a reply.
#[derive(Serialize)]
pub(super) struct ShownScript {
    to: String,
    outcome: &'static str,
    times: Option<u32>,
}

impl From<Script> for ShownScript {
    fn from(script: Script) -> Self {
        let times = script.times.map(NonZeroU32::get);
        Self { to: script.to.e164().to_owned(), outcome: script.outcome.as_str(), times }
    }
}

/// `GET /dev/outcomes`.
pub(super) async fn outcomes(State(pages): SharedPages) -> Json<Vec<ShownScript>> {
    Json(pages.parts.inbox.scripts().into_iter().map(ShownScript::from).collect())
}

/// `POST /dev/outcomes`.
pub(super) async fn set_outcome(
    State(pages): SharedPages,
    headers: HeaderMap,
    body: input::Body,
) -> Result<Json<ShownScript>, InboxError> {
    let wanted = input::json(&headers, body)?;
    script(&pages, &wanted).map(|script| Json(script.into()))
}

/// Puts a script in force.
pub(super) fn script(pages: &Pages, wanted: &SetOutcome) -> Result<Script, InboxError> {
    let to = input::number(&wanted.to, pages.parts.default_region)?;
    let outcome: Outcome =
        wanted.outcome.parse().map_err(|error: ParseOutcomeError| InboxError::field("outcome", error.to_string()))?;
    let times = match wanted.times {
        None => None,
        Some(times) => Some(read_times(times)?),
    };
    pages.parts.inbox.script(to, outcome, times)?;
    Ok(Script { to, outcome, times })
}

fn read_times(times: u64) -> Result<NonZeroU32, InboxError> {
    let bounded = Some(times).filter(|times| *times <= MAX_TIMES);
    let number = bounded.and_then(|times| u32::try_from(times).ok()).and_then(NonZeroU32::new);
    number.ok_or_else(|| InboxError::field("times", format!("expected 1 to {MAX_TIMES}")))
}

/// `DELETE /dev/outcomes?to=`: that number's script, or all.
pub(super) async fn clear_outcomes(
    State(pages): SharedPages,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, InboxError> {
    let to = input::number_in_query(query.as_deref(), pages.parts.default_region)?;
    pages.parts.inbox.clear_scripts(to.as_ref());
    Ok(StatusCode::NO_CONTENT)
}
