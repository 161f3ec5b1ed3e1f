//! Requests that come again: which operation it is, and what both sides must answer.

use super::compare::{Verdict, same, unexpected};
use super::op::Op;
use super::oracle::{DAY_MS, End, Life};
use super::world::World;
use crate::store::{AdmitOutcome, CheckOutcome, RequestDigest, StoreError};

impl World {
    /// The operation to do: a repeated one with the digest that it had, a new request with one of its own, but for every
    /// fourth, which cannot be repeated. `None` if there is nothing to repeat.
    pub(super) fn request_of(&mut self, op: Op) -> Option<Op> {
        match op {
            Op::Repeat => {}
            Op::Start { .. } | Op::Resend { .. } | Op::Check { .. } | Op::CheckNumber { .. } => {
                self.requests += 1;
                let digest = RequestDigest::from_bytes(self.requests.to_le_bytes());
                self.last = Some((op, Some(digest).filter(|_| !self.requests.is_multiple_of(4))));
            }
            other => return Some(other),
        }
        let (op, digest) = self.last?;
        (self.scene.request, self.oracle.request) = (digest, digest);
        Some(op)
    }

    /// The newest of `lives` that bears the mark of the request under way.
    fn marked(&self, lives: &[usize], bears: impl Fn(&Life, RequestDigest) -> bool) -> Option<usize> {
        let request = self.oracle.request?;
        let there = |life: &&usize| self.oracle.lives[**life].end != Some(End::Erased);
        lives.iter().rev().filter(there).find(|life| bears(&self.oracle.lives[**life], request)).copied()
    }

    /// Holds the answer to a send that was admitted before; gives back the answer to any other.
    pub(super) fn same_repeat(
        &mut self,
        lives: &[usize],
        outcome: Result<AdmitOutcome, StoreError>,
        at: u64,
    ) -> Result<Option<Result<AdmitOutcome, StoreError>>, String> {
        let asked = |life: &Life, request| {
            life.sends.iter().position(|send| send.request == Some(request) && at < send.at + DAY_MS)
        };
        let Some(life) = self.marked(lives, |life, request| asked(life, request).is_some()) else {
            return Ok(Some(outcome));
        };
        let first = self.oracle.request.and_then(|request| asked(&self.oracle.lives[life], request)) == Some(0);
        match outcome {
            Ok(AdmitOutcome::Repeated(before)) => {
                same("created", &first, &before.created)?;
                self.same_stand(life, &before.loaded, at).map(|()| None)
            }
            other if self.oracle.maybe_gone(life, at) => Ok(Some(other)),
            other => unexpected(&"repeated", &other),
        }
    }

    /// Holds the answer to a guess that was the last to be compared; gives back the answer to any other.
    pub(super) fn same_answer(
        &mut self,
        lives: &[usize],
        outcome: Result<CheckOutcome, StoreError>,
        at: u64,
    ) -> Result<Option<Result<CheckOutcome, StoreError>>, String> {
        let lately = |life: &Life, request| life.last_check_by == Some(request) && at < life.last_check_at + DAY_MS;
        let Some(life) = self.marked(lives, lately) else {
            return Ok(Some(outcome));
        };
        let right = self.oracle.lives[life].end == Some(End::Approved);
        let verdict: Verdict = match outcome {
            Ok(CheckOutcome::Approved(loaded)) if right => self.same_stand(life, &loaded, at),
            Ok(CheckOutcome::Wrong(loaded)) if !right => self.same_stand(life, &loaded, at),
            other if self.oracle.maybe_gone(life, at) => return Ok(Some(other)),
            other => unexpected(&right, &other),
        };
        verdict.map(|()| None)
    }
}
