//! Requests that can be repeated. A reply lies in its own slot, and what was forgotten is marked in its number's: so a kept reply is
//! given only after a look at the number, and a request that is begun for the first time costs one round trip.
//!
//! A forget that comes while a reply is being kept is no race: the mark bears its instant, and the reply the one at which its
//! request began, so whichever is written first, the reply is never given. Its sealed bytes go with its time to live.

use serde::{Deserialize, Serialize};
use verifyd_core::clock::{Timestamp, duration_ms};
use verifyd_core::store::{
    BegunReply, FinishReply, REPLY_LEASE, REPLY_RETRY_AFTER, ReplyRequest, ReplySubject, SealedReply, StoreError,
};

use super::answer::{Answer, STRANGE};
use super::{RedisStore, encode};

/// What is kept of a reply, opaque to the script.
#[derive(Serialize, Deserialize)]
struct Kept {
    subject: ReplySubject,
    reply: SealedReply,
}

/// What `reply.lua` answers to a beginning.
enum Begun {
    Claimed,
    AtWork { at: Timestamp, until: Timestamp, asked: [u8; 8] },
    Kept { at: Timestamp, begun_at: Timestamp, asked: [u8; 8], kept: Kept },
}

/// A reply as it is kept, opaque to the script.
pub(super) fn pack_kept(subject: ReplySubject, reply: SealedReply) -> Result<Vec<u8>, StoreError> {
    let kept = Kept { subject, reply };
    postcard::to_stdvec(&kept).map_err(|_source| StoreError::Corrupt("a reply cannot be packed"))
}

impl RedisStore {
    pub(super) async fn begin_request(&self, request: &ReplyRequest, now: Timestamp) -> Result<BegunReply, StoreError> {
        let mut begun = self.begin(request, Timestamp::EPOCH, now).await?;
        if let Begun::Kept { at, begun_at, kept, .. } = &begun {
            let ReplySubject { service, phone } = kept.subject;
            let number = self.look_at_number(&phone, service, *at).await?.number;
            if number.forgotten_since(service, *begun_at) {
                begun = self.begin(request, *begun_at, now).await?;
            }
        }
        Ok(match begun {
            Begun::Claimed => BegunReply::Fresh,
            Begun::AtWork { asked, .. } | Begun::Kept { asked, .. } if asked != *request.digest.as_bytes() => {
                BegunReply::BodyDiffers
            }
            Begun::AtWork { at, until, .. } => {
                BegunReply::InProgress { at, retry_at: until.min(at + REPLY_RETRY_AFTER) }
            }
            Begun::Kept { kept, .. } => BegunReply::Stored(kept.reply),
        })
    }

    /// `forgotten` is the beginning of a kept reply that counts as gone.
    async fn begin(&self, request: &ReplyRequest, forgotten: Timestamp, now: Timestamp) -> Result<Begun, StoreError> {
        let lease = encode::integer(duration_ms(REPLY_LEASE));
        let mut answer = self.on_reply("begin", request, [lease, encode::integer(forgotten.unix_ms())], now).await?;
        let digest = |bytes: Vec<u8>| <[u8; 8]>::try_from(bytes).map_err(|_source| STRANGE);
        match answer.integer()? {
            0 => Ok(Begun::Claimed),
            1 => {
                let (at, until) = (answer.instant()?, answer.instant()?);
                Ok(Begun::AtWork { at, until, asked: digest(answer.bytes()?)? })
            }
            2 => {
                let (at, begun_at) = (answer.instant()?, answer.instant()?);
                let asked = digest(answer.bytes()?)?;
                let kept = postcard::from_bytes(&answer.bytes()?)
                    .map_err(|_source| StoreError::Corrupt("not a reply of this version"))?;
                Ok(Begun::Kept { at, begun_at, asked, kept })
            }
            _ => Err(STRANGE),
        }
    }

    pub(super) async fn finish_request(&self, finish: &FinishReply, now: Timestamp) -> Result<(), StoreError> {
        let kept = pack_kept(finish.subject, finish.reply.clone())?;
        self.on_reply("finish", &finish.request, [kept], now).await.map(drop)
    }

    pub(super) async fn abandon_request(&self, request: &ReplyRequest) -> Result<(), StoreError> {
        self.on_reply("abandon", request, [], Timestamp::EPOCH).await.map(drop)
    }

    async fn on_reply<const N: usize>(
        &self,
        what: &str,
        request: &ReplyRequest,
        more: [Vec<u8>; N],
        now: Timestamp,
    ) -> Result<Answer, StoreError> {
        let mut args = vec![self.clock(now), what.into(), request.digest.as_bytes().to_vec(), self.claimer.to_vec()];
        args.extend(more);
        Answer::of(self.link.call(&self.scripts.reply, &[self.keys.reply(&request.key)], args).await?)
    }
}
