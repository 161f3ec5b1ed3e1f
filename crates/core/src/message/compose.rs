//! From a request to the text that is sent: language, holes, warning, last line, and what it costs.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::brand::Brand;
use super::locale::Locale;
use super::segments::{Segments, count};
use super::templates::resolve;
use super::webotp::{AppHash, LastLine, MAX_APP_HASH_MESSAGE_BYTES, OriginHost};
use crate::code::{CodeLength, MAX_CODE_DIGITS, VerificationCode};

/// Zeros in the place of the code, as many as a code can have.
const PLACEHOLDER: &str = "0000000000";
const _: () = assert!(PLACEHOLDER.len() == MAX_CODE_DIGITS as usize);

/// The text of a message. It contains the code, so it neither displays nor debugs, and is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MessageText(String);

impl MessageText {
    /// Takes over a text from elsewhere, such as a caller's own message.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the sender. Nothing else should need it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageText(***)")
    }
}

/// Everything about a message but its code.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The name of the service.
    pub brand: &'a Brand,
    /// The language the person wants.
    pub locale: Option<&'a Locale>,
    /// The language of the service, if the person's is unknown or not shipped.
    pub default_locale: Option<&'a Locale>,
    /// Whether the message warns not to share the code.
    pub warning: bool,
    /// The website that may fill in the code by itself (WebOTP).
    pub origin: Option<&'a OriginHost>,
    /// The host of the frame inside that website in which the code is typed.
    pub embedded: Option<&'a OriginHost>,
    /// The Android app that may read the message.
    pub app_hash: Option<&'a AppHash>,
}

impl<'a> Request<'a> {
    /// The plain message of `brand`: in English, without warning and last line.
    #[must_use]
    pub const fn new(brand: &'a Brand) -> Self {
        Self { brand, locale: None, default_locale: None, warning: false, origin: None, embedded: None, app_hash: None }
    }
}

/// A message ready to be sent.
#[derive(Debug, Clone)]
pub struct Composed {
    /// The text with the code.
    pub text: MessageText,
    /// The tag of the language it is in, which may be less exact than the one asked for.
    pub locale: &'static str,
    /// What it costs on the air.
    pub segments: Segments,
}

/// Why a message cannot be composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// Android would not read the message, so the app would wait in vain.
    #[error(
        "a message with an app hash has at most {MAX_APP_HASH_MESSAGE_BYTES} bytes, and this one would have {bytes}"
    )]
    TooLongForAppHash {
        /// Its length, by the stricter of the two measures.
        bytes: usize,
    },
}

impl ComposeError {
    /// A short, fixed name for metrics and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLongForAppHash { .. } => "too_long_for_app_hash",
        }
    }
}

/// The message for `code`.
///
/// ```
/// use verifyd_core::code::VerificationCode;
/// use verifyd_core::message::{Brand, Request, compose};
///
/// let brand: Brand = "Acme".parse()?;
/// let message = compose(&Request::new(&brand), &VerificationCode::parse("042137")?)?;
/// assert_eq!(message.text.expose(), "Your Acme verification code is: 042137");
/// assert_eq!((message.locale, message.segments.count), ("en", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ComposeError::TooLongForAppHash`] if there is an app hash and the message has more than 140 bytes.
pub fn compose(request: &Request<'_>, code: &VerificationCode) -> Result<Composed, ComposeError> {
    compose_digits(request, code.expose())
}

/// What [`compose`] would give for a code of this length, with zeros in its place.
///
/// # Errors
/// Those of [`compose`].
pub fn preview(request: &Request<'_>, length: CodeLength) -> Result<Composed, ComposeError> {
    compose_digits(request, PLACEHOLDER.get(..usize::from(length.digits())).unwrap_or(PLACEHOLDER))
}

fn compose_digits(request: &Request<'_>, code: &str) -> Result<Composed, ComposeError> {
    let language = resolve(request.locale, request.default_locale);
    let last_line = LastLine { origin: request.origin, embedded: request.embedded, app_hash: request.app_hash };
    let brand = request.brand.as_str();
    // Room for all of it at once: a text that grows would leave copies of the code in memory that nobody wipes.
    let mut text = String::with_capacity(language.max_bytes(brand, code) + last_line.max_bytes(code.len()));
    language.fill(brand, code, request.warning, &mut text);
    last_line.append(code, &mut text);
    let text = MessageText(text);
    let segments = count(text.expose());
    if request.app_hash.is_some() {
        check_app_hash_length(text.expose(), segments)?;
    }
    Ok(Composed { text, locale: language.tag(), segments })
}

/// Android's documentation says "140 bytes" and not of what; the stricter of UTF-8 and the octets on the air is taken.
fn check_app_hash_length(text: &str, segments: Segments) -> Result<(), ComposeError> {
    let octets = usize::try_from(segments.octets()).unwrap_or(usize::MAX);
    let bytes = text.len().max(octets);
    if bytes > MAX_APP_HASH_MESSAGE_BYTES {
        return Err(ComposeError::TooLongForAppHash { bytes });
    }
    Ok(())
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
