//! Request bodies with an end: of size, of time, and with a reason when they break.
//!
//! [`RequestBody`] is what every handler gets from the listener, whatever it reads it with. [`read_body`] is how a
//! handler should read it: it says *why* there is no body, so that the API can answer 413, 408 or not at all.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::limits::after;

/// Why a request body could not be read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed, announced or sent.
    #[error("the request body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit that was passed.
        limit_bytes: usize,
    },
    /// The body was not complete in time.
    #[error("the request body did not arrive in time")]
    TimedOut,
    /// The client hung up, reset the stream or broke the framing.
    #[error("the request body ended before its time")]
    Aborted,
}

impl BodyError {
    /// The status that answers it. `Aborted` seldom finds anybody to read its 400.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::Aborted => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a body of at most `max_bytes`.
///
/// The time limit is the listener's ([`ServerLimits::body_timeout`](super::ServerLimits::body_timeout)); a body that did
/// not come through the listener has none. A body announced as too large is refused before a byte of it is read, so that a
/// client that waits for `100 Continue` never sends it.
///
/// # Errors
/// [`BodyError`], which maps to a status by [`BodyError::status`].
pub async fn read_body(mut body: Body, max_bytes: usize) -> Result<Bytes, BodyError> {
    let too_large = BodyError::TooLarge { limit_bytes: max_bytes };
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(too_large);
    }
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(cause)?.into_data() else {
            continue; // trailers mean nothing to us
        };
        if first.len() + whole.len() + data.len() > max_bytes {
            return Err(too_large);
        }
        if first.is_empty() && whole.is_empty() {
            first = data; // nearly every body is one frame and needs no copy
        } else {
            if whole.is_empty() {
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.into() })
}

fn cause(error: axum::Error) -> BodyError {
    let error: Box<dyn Error + Send + Sync> = error.into_inner();
    error.downcast_ref::<BodyError>().copied().unwrap_or(BodyError::Aborted)
}

/// The body of a request as the listener hands it on: hyper's, bounded.
#[derive(Debug)]
pub(super) struct RequestBody {
    incoming: Incoming,
    activity: Arc<Activity>,
    left_bytes: usize,
    began: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl RequestBody {
    /// Wraps what hyper reads; a request without a body costs nothing.
    pub(super) fn wrap(incoming: Incoming, activity: &Arc<Activity>) -> Body {
        if incoming.is_end_stream() {
            return Body::empty();
        }
        Body::new(Self {
            incoming,
            activity: Arc::clone(activity),
            left_bytes: activity.limits().max_body_bytes,
            began: Instant::now(),
            timer: None,
            ended: false,
        })
    }

    /// Ready once the body's time is over. The timer exists only for bodies that made us wait.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = after(self.began, self.activity.limits().body_timeout);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        timer.as_mut().poll(cx)
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // Frames without data are always ready, so a timer that runs is asked first.
        if self.timer.is_some() && self.poll_deadline(cx).is_ready() {
            return Poll::Ready(Some(Err(BodyError::TimedOut)));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            ready!(self.poll_deadline(cx));
            return Poll::Ready(Some(Err(BodyError::TimedOut)));
        };
        Poll::Ready(match frame {
            None => {
                self.ended = true;
                None
            }
            Some(Err(_hang_up_or_broken_framing)) => Some(Err(BodyError::Aborted)),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                Some(match self.left_bytes.checked_sub(bytes) {
                    Some(left) => {
                        self.left_bytes = left;
                        Ok(frame)
                    }
                    None => Err(BodyError::TooLarge { limit_bytes: self.activity.limits().max_body_bytes }),
                })
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.ended && !self.incoming.is_end_stream() {
            self.activity.body_left_unread();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_limit_is_inclusive() {
        for (len, allowed) in [(0, true), (9, true), (10, true), (11, false)] {
            let read = read_body(Body::from(vec![b'a'; len]), 10).await;
            assert_eq!(
                read.map(|bytes| bytes.len()),
                if allowed { Ok(len) } else { Err(BodyError::TooLarge { limit_bytes: 10 }) }
            );
        }
    }

    /// A body of unknown length in the given pieces, which ends as `last` says.
    struct Pieces {
        pieces: std::slice::Iter<'static, &'static str>,
        last: Option<BodyError>,
    }

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(match self.pieces.next() {
                Some(piece) => Some(Ok(Frame::data(Bytes::from_static(piece.as_bytes())))),
                None => self.last.take().map(Err),
            })
        }
    }

    fn pieces(pieces: &'static [&'static str], last: Option<BodyError>) -> Body {
        Body::new(Pieces { pieces: pieces.iter(), last })
    }

    #[tokio::test]
    async fn pieces_are_joined_and_counted_together() {
        assert_eq!(read_body(pieces(&["ab", "", "cde", "f"], None), 6).await.unwrap(), "abcdef");
        assert_eq!(read_body(pieces(&["ab", "cde", "f"], None), 5).await, Err(BodyError::TooLarge { limit_bytes: 5 }));
        for error in [BodyError::TimedOut, BodyError::Aborted, BodyError::TooLarge { limit_bytes: 7 }] {
            assert_eq!(read_body(pieces(&["ab"], Some(error)), 6).await, Err(error));
        }
    }
}
