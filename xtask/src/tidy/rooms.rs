//! Which room inside core and server may know which. Tests are free: they may use what they like to build their case.

use super::Finding;
use super::paths::PathUse;
use super::source::Source;

const CORE: &str = "crates/core/src";
const SERVER: &str = "crates/server/src";

/// A room of core, the rooms that it must not know, and of others the only names that it may use.
struct Room {
    name: &'static str,
    must_not_know: &'static [&'static str],
    only: &'static [(&'static str, &'static [&'static str])],
}

/// `verifier` may use everything. The four below do not know one another, nor what drives them; `sender` alone takes the
/// finished text and its segments from `message`, because that is what a sender delivers. `store` uses the data types and
/// the pure decisions of `limits`, `guard` and `verification`, because admission is one atomic step.
const CORE_ROOMS: &[Room] = &[
    Room {
        name: "sender",
        must_not_know: &["limits", "guard", "verifier", "routing", "store", "memory", "*"],
        only: &[("message", &["MessageText", "Segments", "Encoding"])],
    },
    Room {
        name: "limits",
        must_not_know: &["sender", "guard", "message", "verifier", "routing", "store", "memory", "*"],
        only: &[],
    },
    Room {
        name: "guard",
        must_not_know: &["sender", "limits", "message", "verifier", "routing", "store", "memory", "*"],
        only: &[],
    },
    Room {
        name: "message",
        must_not_know: &["sender", "limits", "guard", "verifier", "routing", "store", "memory", "*"],
        only: &[],
    },
    Room { name: "store", must_not_know: &["verifier", "routing", "message", "memory", "*"], only: &[] },
];

/// The crates behind the ports.
const ADAPTERS: &[&str] = &["verifyd_senders", "verifyd_store_embedded", "verifyd_store_redis"];

/// Adapters by name, wherever they come from.
const ADAPTER_TYPES: &[&str] = &[
    "MemoryStore",
    "EmbeddedStore",
    "RedisStore",
    "TwilioSender",
    "InboxSender",
    "FileRegistry",
    "MemoryRegistry",
    "RedisRegistry",
];

/// The paths that count: outside of tests.
fn production(source: &Source) -> impl Iterator<Item = &PathUse> {
    source.paths.iter().filter(|used| !used.in_test)
}

/// The rooms of core keep to their table.
pub(super) fn core_rooms(source: &Source) -> Vec<Finding> {
    const REMEDY: &str =
        "Let `verifier` bring the two together, or move the data type both need to a file of its own in core.";
    let room = source.inside(CORE).and_then(|inside| inside.split(['/', '.']).next());
    let Some(room) = CORE_ROOMS.iter().find(|known| Some(known.name) == room) else { return Vec::new() };
    let allowed = |used: &PathUse| {
        let Some(target) = used.room() else { return true };
        let only = room.only.iter().find(|(name, _)| *name == target);
        let listed =
            only.is_none_or(|(_, items)| used.segments.last().is_some_and(|last| items.contains(&last.as_str())));
        listed && !room.must_not_know.contains(&target)
    };
    let broken = production(source).filter(|used| !allowed(used));
    broken
        .map(|used| {
            Finding::new(
                source.at(used.line),
                format!("core's `{}` must not use `{}`", room.name, used.written()),
                REMEDY,
            )
        })
        .collect()
}

/// Core has no file, no socket, no process and no environment.
pub(super) fn core_does_no_io(source: &Source) -> Vec<Finding> {
    const REMEDY: &str = "Core decides; what touches the outside is a port with an adapter in another crate.";
    const OUTSIDE: &[&[&str]] = &[
        &["std", "fs"],
        &["std", "env"],
        &["std", "process"],
        &["std", "net", "TcpStream"],
        &["std", "net", "TcpListener"],
        &["std", "net", "UdpSocket"],
        &["tokio", "fs"],
        &["tokio", "net"],
        &["tokio", "process"],
        &["tokio", "signal"],
    ];
    if source.inside(CORE).is_none() {
        return Vec::new();
    }
    let broken = production(source).filter(|used| OUTSIDE.iter().any(|outside| used.begins(outside)));
    broken
        .map(|used| Finding::new(source.at(used.line), format!("core must not use `{}`", used.written()), REMEDY))
        .collect()
}

/// The HTTP rooms talk to core's verifier and its read models. Only the inbox page reads the inbox sender.
pub(super) fn http_knows_no_adapter(source: &Source) -> Vec<Finding> {
    const REMEDY: &str = "Ask `Verifier` or one of its read models; only http/inbox may read verifyd_senders::inbox.";
    let Some(inside) = source.inside(SERVER).and_then(|inside| inside.strip_prefix("http/")) else { return Vec::new() };
    let port = |used: &PathUse| {
        used.begins(&["verifyd_core", "store", "Store"])
            || used.begins(&["verifyd_core", "sender", "Sender"])
            || used.begins(&["verifyd_core", "memory"])
    };
    let broken = production(source).filter(|used| port(used) || (names_adapter(used) && !is_the_inbox(inside, used)));
    broken
        .map(|used| Finding::new(source.at(used.line), format!("http must not use `{}`", used.written()), REMEDY))
        .collect()
}

/// Only `wiring` names concrete adapters. Configuration may build the settings that they are made from, and `mock` carries the
/// inbox, which is messages to read and no sender, from wiring to its page.
pub(super) fn adapters_are_named_in_wiring(source: &Source) -> Vec<Finding> {
    const REMEDY: &str = "Take the port (`dyn Store`, `dyn Sender`) and let wiring.rs choose what is behind it.";
    let Some(inside) = source.inside(SERVER) else { return Vec::new() };
    if inside == "wiring.rs" || inside.starts_with("wiring/") {
        return Vec::new();
    }
    let in_http = inside.strip_prefix("http/");
    let settings = |used: &PathUse| {
        let alive = |last: &String| ["Sender", "Store", "Client"].iter().any(|ending| last.ends_with(ending));
        inside.starts_with("config") && !used.segments.last().is_some_and(alive)
    };
    let adapter = |used: &PathUse| {
        let known = used.segments.iter().any(|segment| ADAPTER_TYPES.contains(&segment.as_str()));
        // What http does with an adapter crate is a finding of its rule above.
        known || (names_adapter(used) && in_http.is_none() && !settings(used))
    };
    let carried = |used: &PathUse| inside == "mock.rs" && used.segments == ["verifyd_senders", "inbox", "Inbox"];
    let excused = |used: &PathUse| carried(used) || in_http.is_some_and(|inside| is_the_inbox(inside, used));
    let broken = production(source).filter(|used| adapter(used) && !excused(used));
    broken
        .map(|used| Finding::new(source.at(used.line), format!("only wiring.rs may name `{}`", used.written()), REMEDY))
        .collect()
}

fn names_adapter(used: &PathUse) -> bool {
    ADAPTERS.iter().any(|adapter| used.begins(&[adapter]))
}

fn is_the_inbox(inside_http: &str, used: &PathUse) -> bool {
    inside_http.split(['/', '.']).next() == Some("inbox") && used.begins(&["verifyd_senders", "inbox"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(rule: fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> usize {
        rule(&Source::parse(path, text).unwrap()).len()
    }

    #[test]
    fn the_leaf_rooms_of_core_do_not_know_one_another() {
        assert_eq!(broken(core_rooms, "crates/core/src/limits/rate.rs", "use crate::clock::Timestamp;"), 0);
        assert_eq!(broken(core_rooms, "crates/core/src/limits/rate.rs", "use crate::sender::Channel;"), 1);
        assert_eq!(broken(core_rooms, "crates/core/src/limits/rate.rs", "use super::super::verifier;"), 1);
        assert_eq!(broken(core_rooms, "crates/core/src/message/mod.rs", "fn a() { super::limits::Rate::new() }"), 1);
        assert_eq!(
            broken(core_rooms, "crates/core/src/guard/mod.rs", "use crate::{limits::Rate, message::Locale};"),
            2
        );
        assert_eq!(broken(core_rooms, "crates/core/src/limits/mod.rs", "use crate::*;"), 1);
        assert_eq!(
            broken(core_rooms, "crates/core/src/verifier/mod.rs", "use crate::{limits::Rate, store::Store};"),
            0
        );
    }

    #[test]
    fn a_sender_sees_the_finished_message_only() {
        assert_eq!(broken(core_rooms, "crates/core/src/sender.rs", "use crate::message::{MessageText, Segments};"), 0);
        assert_eq!(broken(core_rooms, "crates/core/src/sender.rs", "use crate::message::Template;"), 1);
        assert_eq!(broken(core_rooms, "crates/core/src/sender.rs", "use crate::message;"), 1);
    }

    #[test]
    fn the_store_may_decide_with_limits_but_knows_no_flow() {
        assert_eq!(broken(core_rooms, "crates/core/src/store/state/admit.rs", "use crate::limits::Rate;"), 0);
        assert_eq!(broken(core_rooms, "crates/core/src/store/state/admit.rs", "use crate::verifier::Start;"), 1);
    }

    #[test]
    fn tests_are_free() {
        let text = "#[cfg(test)] mod tests { use crate::sender::Channel; }";
        assert_eq!(broken(core_rooms, "crates/core/src/limits/rate.rs", text), 0);
        assert_eq!(broken(core_rooms, "crates/core/src/limits/rate_tests.rs", "use crate::sender::Channel;"), 0);
    }

    #[test]
    fn core_touches_nothing_outside() {
        assert_eq!(broken(core_does_no_io, "crates/core/src/keys.rs", "use std::fs::File; use tokio::{net, sync};"), 2);
        assert_eq!(broken(core_does_no_io, "crates/core/src/limits/network.rs", "use std::net::IpAddr;"), 0);
        assert_eq!(broken(core_does_no_io, "crates/server/src/main.rs", "use std::fs::File;"), 0);
    }

    #[test]
    fn http_reads_no_store_and_sends_nothing() {
        let rule = http_knows_no_adapter;
        assert_eq!(broken(rule, "crates/server/src/http/v1/start.rs", "use verifyd_senders::twilio::TwilioSender;"), 1);
        assert_eq!(broken(rule, "crates/server/src/http/v1/start.rs", "use verifyd_core::store::{Store, Receipt};"), 1);
        assert_eq!(
            broken(rule, "crates/server/src/http/v1/start.rs", "use verifyd_core::sender::{Channel, DeliveryStatus};"),
            0
        );
        assert_eq!(broken(rule, "crates/server/src/http/inbox/mod.rs", "use verifyd_senders::inbox::Inbox;"), 0);
        assert_eq!(broken(rule, "crates/server/src/http/inbox.rs", "use verifyd_senders::twilio::TwilioSender;"), 1);
    }

    #[test]
    fn only_wiring_names_adapters() {
        let rule = adapters_are_named_in_wiring;
        assert_eq!(broken(rule, "crates/server/src/cli/serve.rs", "use verifyd_store_embedded::EmbeddedStore;"), 1);
        assert_eq!(
            broken(rule, "crates/server/src/cli/serve.rs", "fn a() { verifyd_core::memory::MemoryStore::new() }"),
            1
        );
        assert_eq!(broken(rule, "crates/server/src/wiring.rs", "use verifyd_store_embedded::EmbeddedStore;"), 0);
        assert_eq!(
            broken(
                rule,
                "crates/server/src/config/twilio.rs",
                "use verifyd_senders::twilio::{TwilioSettings, RiskCheck, TwilioSender};"
            ),
            1
        );
        assert_eq!(broken(rule, "crates/server/src/http/inbox/mod.rs", "use verifyd_senders::inbox::InboxSender;"), 0);
        assert_eq!(broken(rule, "crates/server/src/mock.rs", "use verifyd_senders::inbox::{Inbox, InboxSender};"), 1);
    }
}
