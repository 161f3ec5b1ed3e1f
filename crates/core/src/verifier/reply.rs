//! Requests that may come twice: the first does the work, and its answer is kept and given to every other.
//!
//! What is kept: the answers of requests that had an effect. A request that was refused, or that failed, has had none and is
//! **abandoned**: its repeat runs anew, because by then the limit may be over, the sender back or the mistake mended, and an
//! answer that says "try again later" must not be the answer for a day. Where a failure may have had an effect after all (the
//! store lost the connection to its disk between decision and answer), the verbs themselves recognise the request.
//!
//! Front doors use it as `begin`, work, `finish` or `abandon`, all within [`Verifier::detach`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::{Verifier, VerifyError};
use crate::id::ServiceId;
use crate::phone_number::PhoneNumber;
use crate::store::{BegunReply, FinishReply, ReplyRequest, ReplySubject, RequestDigest};

/// The longest body of a reply that is kept: a request of 16 KiB comes back in it, beside 32 deliveries at most.
pub const MAX_REPLY_BYTES: usize = 32 * 1024;

/// What a request is repeated by: only the same caller with the same key for the same thing repeats it.
#[derive(Clone, Copy)]
pub struct RequestScope<'a> {
    /// Who asks, by an id that no other caller has.
    pub caller: &'a str,
    /// The key that the caller made for the request.
    pub key: &'a str,
    /// The method.
    pub method: &'a str,
    /// The path as it was written.
    pub path: &'a str,
}

impl fmt::Debug for RequestScope<'_> {
    /// Without the key and the path, which may hold a number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestScope")
            .field("caller", &self.caller)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// A reply in the terms of a front door.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// The type of its body.
    pub content_type: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Reply {
    /// Without the body, which holds the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Whom a reply is about; forgetting the number forgets the reply.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The tenant.
    pub service: ServiceId,
    /// The number.
    pub number: PhoneNumber,
}

/// The right to do the work of a request: no other does it meanwhile.
#[derive(Debug)]
#[must_use = "until it is finished or abandoned, nobody can repeat the request"]
pub struct ReplyClaim(ReplyRequest);

impl ReplyClaim {
    /// What the verbs that do the work remember the request by.
    #[must_use]
    pub const fn request(&self) -> RequestDigest {
        self.0.digest
    }
}

/// How a request begins.
#[derive(Debug)]
pub enum Begun {
    /// Do the work.
    Fresh(ReplyClaim),
    /// The same request is at work.
    InProgress {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The key was used for a request with another body.
    BodyDiffers,
    /// It was answered before, with this.
    Stored(Reply),
}

impl Verifier {
    /// Claims the key of a request, or says what became of the request that had it.
    ///
    /// # Errors
    /// [`VerifyError::Store`] if the store cannot answer or is full; [`VerifyError::Internal`] if a kept reply cannot be opened
    /// because its key was taken from the ring within the day.
    pub async fn begin_reply(&self, scope: RequestScope<'_>, body: &[u8]) -> Result<Begun, VerifyError> {
        let parts = [scope.caller, scope.key, scope.method, scope.path];
        let request = self.parts.keys.reply_request(&parts, body);
        Ok(match self.parts.store.begin_reply(request, self.parts.clock.now()).await? {
            BegunReply::Fresh => Begun::Fresh(ReplyClaim(request)),
            BegunReply::InProgress { at, retry_at } => Begun::InProgress { retry_after: retry_at.since(at) },
            BegunReply::BodyDiffers => Begun::BodyDiffers,
            BegunReply::Stored(sealed) => {
                let plain = self.parts.keys.open_reply(&request.key, &sealed)?;
                let reply = postcard::from_bytes(&plain);
                Begun::Stored(reply.map_err(|_source| VerifyError::Internal("a kept reply cannot be read"))?)
            }
        })
    }

    /// Keeps the reply of a request that had an effect. One that cannot be kept (longer than [`MAX_REPLY_BYTES`], or the store
    /// fails) is logged and no loss of what was done: a repeat is then recognised by the verb.
    pub async fn finish_reply(&self, claim: ReplyClaim, about: About, reply: &Reply) {
        if let Err(error) = self.keep_reply(&claim, about, reply).await {
            tracing::error!(%error, "a reply is not kept; a repeat of its request runs anew");
            self.abandon_reply(claim).await;
        }
    }

    async fn keep_reply(&self, claim: &ReplyClaim, about: About, reply: &Reply) -> Result<(), VerifyError> {
        if reply.body.len() > MAX_REPLY_BYTES {
            return Err(VerifyError::Internal("a reply is too long to be kept"));
        }
        let plain = postcard::to_stdvec(reply).map_err(|_source| VerifyError::Internal("a reply cannot be packed"))?;
        let sealed = self.parts.keys.seal_reply(&claim.0.key, plain, self.parts.random.as_ref())?;
        let subject = ReplySubject { service: about.service, phone: self.phone_hash(&about.number) };
        let finish = FinishReply { request: claim.0, subject, reply: sealed };
        Ok(self.parts.store.finish_reply(finish, self.parts.clock.now()).await?)
    }

    /// Lets the next request with the key run anew, because this one had no effect.
    pub async fn abandon_reply(&self, claim: ReplyClaim) {
        if let Err(error) = self.parts.store.abandon_reply(claim.0).await {
            tracing::warn!(%error, "a request's key stays claimed until its lease ends");
        }
    }

    /// Runs `work` to its end in a task of its own, whether or not the caller waits for it; [`drain`](Self::drain) does.
    pub fn detach<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.requests.spawn(work)
    }
}
