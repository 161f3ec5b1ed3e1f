//! Which primary owns which slot, and which eras count there.
//!
//! A slot that moves takes its data along whole, so codes of the era that it came from still count, unless the new owner's era began
//! after the move: then guesses made there may be lost. A slot whose way was not seen from hand to hand brings nothing along.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::era::Era;
use super::node::Node;
use super::office::Office;
use super::slot::SLOTS;
use super::url::Address;

/// What was not seen for longer may have passed through other hands.
const SEEN_LATELY: Duration = Duration::from_secs(5);
/// No code lives longer.
const ORIGIN_KEPT: Duration = Duration::from_secs(24 * 3600);
const NOBODY: u16 = u16::MAX;

/// Who owns what, as last seen. Replaced whole.
#[derive(Clone, Default)]
pub(super) struct Routes {
    nodes: Vec<Arc<Node>>,
    /// By slot, a place in `nodes`; empty while the one node, if there is one, owns all.
    owners: Vec<u16>,
    origins: HashMap<u16, Origin>,
    seen_at: Option<Instant>,
}

/// Where a slot came from.
#[derive(Clone)]
struct Origin {
    eras: Vec<Era>,
    incomplete_since_ms: u64,
    /// When it was last seen there.
    seen_at: Instant,
}

/// What counts for data of a slot.
pub(super) struct Counting {
    /// The present era first.
    pub(super) eras: Vec<u8>,
    pub(super) incomplete_since_ms: u64,
}

impl Routes {
    /// One node owns everything.
    pub(super) fn single(node: Arc<Node>) -> Self {
        Self { nodes: vec![node], ..Self::default() }
    }

    pub(super) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    pub(super) fn owner(&self, slot: u16) -> Option<Arc<Node>> {
        let place = if self.owners.is_empty() { 0 } else { *self.owners.get(usize::from(slot))? };
        self.nodes.get(usize::from(place)).cloned()
    }

    /// Whether every slot has an owner.
    pub(super) fn whole(&self) -> bool {
        !self.nodes.is_empty() && !self.owners.contains(&NOBODY)
    }

    fn node(&self, address: &Address) -> Option<Arc<Node>> {
        self.nodes.iter().find(|node| node.address() == address).cloned()
    }

    /// With the owners of a whole Cluster: ranges of slots, both ends included. Nodes are kept where their address is.
    pub(super) fn surveyed(&self, found: &[(Address, u16, u16)], make: impl Fn(Address) -> Arc<Node>) -> Self {
        let mut next =
            Self { owners: vec![NOBODY; usize::from(SLOTS)], seen_at: Some(Instant::now()), ..Self::default() };
        for (address, first, last) in found {
            let place = next.place_of(address, |address| self.node(address).unwrap_or_else(|| make(address.clone())));
            for slot in *first..=(*last).min(SLOTS - 1) {
                next.set_owner(slot, place);
            }
        }
        // A node that has no slot yet, or no more, may get one the next moment; one that left is no primary for long.
        for idle in self.nodes.iter().filter(|node| node.ready_office().is_some()) {
            next.place_of(idle.address(), |_| Arc::clone(idle));
        }
        let lasting = self.origins.iter().filter(|(_, origin)| origin.seen_at.elapsed() < ORIGIN_KEPT);
        next.origins = lasting.map(|(slot, origin)| (*slot, origin.clone())).collect();
        if !self.owners.is_empty() {
            for slot in 0..SLOTS {
                next.note_move(slot, self);
            }
        }
        next
    }

    /// With another owner of one slot, as a server told.
    pub(super) fn redirected(&self, slot: u16, address: &Address, make: impl Fn(Address) -> Arc<Node>) -> Self {
        let mut next = self.clone();
        let place = next.place_of(address, |address| make(address.clone()));
        next.set_owner(slot, place);
        next.note_move(slot, self);
        next
    }

    /// What counts for a call that runs on `office`.
    pub(super) fn counting(&self, slot: u16, office: &Office) -> Counting {
        let mut counting =
            Counting { eras: office.era.bytes().to_vec(), incomplete_since_ms: office.incomplete_since_ms() };
        let origin = if self.origins.is_empty() { None } else { self.origins.get(&slot) };
        if let Some(origin) = origin.filter(|origin| office.unbroken_since <= origin.seen_at) {
            counting.eras.extend(origin.eras.iter().flat_map(|era| era.bytes()));
            counting.incomplete_since_ms = counting.incomplete_since_ms.max(origin.incomplete_since_ms);
        }
        counting
    }

    /// Remembers where a slot came from, if `before` had it elsewhere a moment ago.
    fn note_move(&mut self, slot: u16, before: &Self) {
        let (Some(now), Some(old)) = (self.owner(slot), before.owner(slot)) else { return };
        if now.address() == old.address() {
            return;
        }
        let seen_at = before.seen_at.filter(|seen_at| seen_at.elapsed() <= SEEN_LATELY);
        let (Some(seen_at), Some(office)) = (seen_at, old.ready_office()) else {
            self.origins.remove(&slot);
            return;
        };
        let earlier = before.origins.get(&slot).filter(|origin| office.unbroken_since <= origin.seen_at);
        let mut eras = vec![office.era];
        for era in earlier.into_iter().flat_map(|origin| &origin.eras) {
            if !eras.contains(era) {
                eras.push(*era);
            }
        }
        let incomplete_since_ms =
            office.incomplete_since_ms().max(earlier.map_or(0, |origin| origin.incomplete_since_ms));
        self.origins.insert(slot, Origin { eras, incomplete_since_ms, seen_at });
    }

    fn set_owner(&mut self, slot: u16, place: u16) {
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = place;
        }
    }

    fn place_of(&mut self, address: &Address, node: impl FnOnce(&Address) -> Arc<Node>) -> u16 {
        let place = self.nodes.iter().position(|node| node.address() == address).unwrap_or_else(|| {
            self.nodes.push(node(address));
            self.nodes.len() - 1
        });
        u16::try_from(place).unwrap_or(NOBODY)
    }
}
