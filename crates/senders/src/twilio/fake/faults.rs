//! The faults: what goes wrong between a request that arrived and an answer that should have come.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::http::{RecordedRequest, Response};
use super::rules::error_body;

/// The body that [`Fault::HugeBody`] announces.
const HUGE_BODY_BYTES: usize = 1 << 30;

/// Something that goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// 429 with code 20429 and this `Retry-After`.
    Throttle {
        /// The header's value, if there is to be one.
        retry_after: Option<String>,
    },
    /// An error in Twilio's form; its message repeats number and text, as Twilio's do.
    Error {
        /// The HTTP status.
        status: u16,
        /// Twilio's code.
        code: u32,
    },
    /// This status and JSON, word for word.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The message is created and has failed already, with this code.
    FailsAtOnce {
        /// Twilio's code.
        code: u32,
    },
    /// The request is read and never answered.
    Hang,
    /// Head and half of the body, then silence.
    HangInBody,
    /// The right answer, byte by byte.
    Drip {
        /// The pause before each byte of the body.
        pause: Duration,
    },
    /// 201 with bytes that are no JSON.
    Garbage,
    /// 200 with a page.
    Html,
    /// 201 with a body of a gigabyte.
    HugeBody,
    /// Head and half of the body, then the connection closes.
    CloseInBody,
    /// The connection closes without an answer.
    CloseBeforeAnswer,
    /// The right answer, which promises to keep the connection, then it closes.
    CloseAfterAnswer,
    /// A redirect.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Where to.
        location: String,
    },
}

/// What becomes of the connection.
pub(super) enum Next {
    /// The next request may come.
    Read,
    /// It closes.
    Close,
}

impl Fault {
    /// Does what it says to `stream`; `answer` is what would have come.
    pub(super) async fn perform<W: AsyncWrite + Unpin>(
        &self,
        request: &RecordedRequest,
        answer: Response,
        stream: &mut W,
        body_bytes: &AtomicUsize,
    ) -> io::Result<Next> {
        match self {
            Self::Hang => std::future::pending().await,
            Self::CloseBeforeAnswer => Ok(Next::Close),
            Self::CloseAfterAnswer => {
                write_whole(&answer, stream).await?;
                Ok(Next::Close)
            }
            Self::HangInBody => {
                write_half(&answer, stream).await?;
                std::future::pending().await
            }
            Self::CloseInBody => {
                write_half(&answer, stream).await?;
                Ok(Next::Close)
            }
            Self::Drip { pause } => drip(&answer, *pause, stream, body_bytes).await,
            Self::HugeBody => write_huge(&answer, stream, body_bytes).await,
            _ => write_whole(&self.replace(request, answer), stream).await,
        }
    }

    /// The answer that comes instead, for faults that send a whole one.
    fn replace(&self, request: &RecordedRequest, right: Response) -> Response {
        let headers = right.headers.clone();
        let wrong = match self {
            Self::Throttle { retry_after } => {
                let answer = Response::json(429, &error_body(429, 20429, "Too Many Requests"));
                match retry_after {
                    Some(value) => answer.with_header("Retry-After", value.clone()),
                    None => answer,
                }
            }
            Self::Error { status, code } => {
                let what = request.form().into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(", ");
                Response::json(*status, &error_body(*status, *code, &format!("Refused: {what}")))
            }
            Self::Answer { status, body } => Response::text(*status, "application/json", body),
            Self::FailsAtOnce { code } => fail(&right, *code),
            Self::Garbage => Response::text(201, "application/json", "\u{1}{\"sid\": \"SM"),
            Self::Html => Response::text(200, "text/html", "<!DOCTYPE html><title>Welcome</title><p>It works!</p>"),
            Self::Redirect { status, location } => {
                Response::text(*status, "text/plain", "").with_header("Location", location.clone())
            }
            _ => right,
        };
        headers.into_iter().fold(wrong, |answer, (name, value)| answer.with_header(name, value))
    }
}

fn fail(right: &Response, code: u32) -> Response {
    let mut body: serde_json::Value = serde_json::from_str(&right.body).unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        let reason = format!("Failed for {}", fields.get("to").map(ToString::to_string).unwrap_or_default());
        fields.insert("status".into(), "failed".into());
        fields.insert("error_code".into(), code.into());
        fields.insert("error_message".into(), reason.into());
    }
    Response::json(201, &body)
}

/// The whole answer.
pub(super) async fn write_whole<W: AsyncWrite + Unpin>(answer: &Response, stream: &mut W) -> io::Result<Next> {
    stream.write_all(answer.head(answer.body.len()).as_bytes()).await?;
    stream.write_all(answer.body.as_bytes()).await?;
    stream.flush().await?;
    Ok(Next::Read)
}

async fn write_half<W: AsyncWrite + Unpin>(answer: &Response, stream: &mut W) -> io::Result<()> {
    stream.write_all(answer.head(answer.body.len()).as_bytes()).await?;
    let half = answer.body.as_bytes().get(..answer.body.len() / 2).unwrap_or_default();
    stream.write_all(half).await?;
    stream.flush().await
}

async fn drip<W: AsyncWrite + Unpin>(
    answer: &Response,
    pause: Duration,
    stream: &mut W,
    body_bytes: &AtomicUsize,
) -> io::Result<Next> {
    stream.write_all(answer.head(answer.body.len()).as_bytes()).await?;
    stream.flush().await?;
    for byte in answer.body.bytes() {
        tokio::time::sleep(pause).await;
        stream.write_all(&[byte]).await?;
        stream.flush().await?;
        body_bytes.fetch_add(1, Ordering::SeqCst);
    }
    Ok(Next::Read)
}

/// The right JSON, then spaces: parsable as long as one reads on.
async fn write_huge<W: AsyncWrite + Unpin>(
    answer: &Response,
    stream: &mut W,
    body_bytes: &AtomicUsize,
) -> io::Result<Next> {
    stream.write_all(answer.head(HUGE_BODY_BYTES).as_bytes()).await?;
    stream.write_all(answer.body.as_bytes()).await?;
    let blank = vec![b' '; 16 * 1024];
    let mut left = HUGE_BODY_BYTES.saturating_sub(answer.body.len());
    while left > 0 {
        let piece = blank.get(..left.min(blank.len())).unwrap_or_default();
        stream.write_all(piece).await?;
        left -= piece.len();
        body_bytes.fetch_add(piece.len(), Ordering::SeqCst);
    }
    stream.flush().await?;
    Ok(Next::Read)
}
