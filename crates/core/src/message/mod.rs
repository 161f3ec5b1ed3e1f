//! What is sent: the text of a message, its language, and how many segments it costs.
//!
//! [`compose`] makes the text from a [`Request`] and the code; [`preview`] does the same with zeros for the code. The verifier
//! and `POST /v1/preview` call them. Nothing here knows senders, limits or the flow; and nothing is configurable but the
//! checked values that go in: a [`Brand`], a [`Locale`], an [`OriginHost`], an [`AppHash`].
//!
//! A message looks like this, the last line only if the service has a website or the caller an Android app:
//!
//! ```text
//! Your Acme verification code is: 042137. Don't share this code with anyone; our employees will never ask for the code
//! @login.acme.example #042137 FA+9qCX9VSu
//! ```
//!
//! Invariants, each with a test over every language:
//! - the longest brand and code fit one segment, and two with the warning (no last line; a brand that GSM-7 can carry);
//! - no text contains anything that a phone turns into a link, whatever the brand, before the last line;
//! - the last line is ours alone: no brand can start one;
//! - the code stands in the text exactly as given, and the text is wiped from memory when dropped.
//!
//! # Add a language in two steps
//!
//! 1. Add an entry to `LANGUAGES` in `templates.rs`, in the order of the tags: tag, English name, text with `{brand}` and
//!    `{code}`, warning (it follows the text directly, so it begins with the full stop or a space). Have a speaker read it.
//! 2. Run `cargo test -p verifyd-core message`. The data tests say whether it fits its segments; if not, shorten it or
//!    find a wording that GSM-7 can carry ([`segments::forcing_ucs2`] names the characters in the way).
//!
//! Regions fall back to their language by themselves (`pt-AO` to `pt`); a tag that should lead to another language goes
//! into `ALIASES`.

mod brand;
mod compose;
mod locale;
pub mod segments;
mod templates;
mod webotp;

pub use brand::{Brand, BrandError, MAX_BRAND_CHARS};
pub use compose::{ComposeError, Composed, MessageText, Request, compose, preview};
pub use locale::{Locale, MAX_LOCALE_BYTES, ParseLocaleError};
pub use segments::{Encoding, Segments};
pub use templates::{Language, find, languages, resolve};
pub use webotp::{
    APP_HASH_CHARS, AppHash, LastLine, MAX_APP_HASH_MESSAGE_BYTES, OriginBound, OriginHost, ParseAppHashError,
    ParseHostError, parse_origin_bound,
};
