//! What callers saw, and what of it cannot be.
//!
//! Each call is kept with the instants between which it happened. A call without an answer may or may not have had its effect,
//! so it counts for nothing where an effect would be wanted, and for everything where one would be too much.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Instant;

use crate::api::Answer;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    /// A start for a number.
    Start { to: String },
    /// A guess at a verification, and whether it is the code.
    Check { id: String, right: bool },
    /// A look at a verification.
    Load { id: String },
}

/// One call and what came of it.
#[derive(Debug)]
struct Event {
    call: Call,
    began: Instant,
    ended: Instant,
    /// `None`: no answer came.
    answer: Option<Answer>,
}

/// Everything that the callers saw.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<Vec<Event>>);

impl History {
    /// Keeps a call that began at `began` and is over now.
    pub(super) fn keep(&self, call: Call, began: Instant, answer: Option<Answer>) {
        self.0.lock().unwrap().push(Event { call, began, ended: Instant::now(), answer });
    }

    /// How many calls there were, and how many of them nobody answered.
    pub(super) fn counts(&self) -> (usize, usize) {
        let events = self.0.lock().unwrap();
        (events.len(), events.iter().filter(|event| event.answer.is_none()).count())
    }

    /// How many verifications were approved.
    pub(super) fn approvals(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|event| approves(event)).count()
    }

    /// What cannot be, in words. `messages` are the numbers that the provider was asked to reach, one for each message.
    pub(super) fn contradictions(&self, messages: &[String], max_sends: usize, max_checks: usize) -> Vec<String> {
        let events = self.0.lock().unwrap();
        let mut found = Vec::new();
        found.extend(events.iter().filter_map(dishonest));
        found.extend(by_verification(&events, max_checks));
        found.extend(by_number(&events, messages, max_sends));
        found
    }
}

fn status(event: &Event) -> u16 {
    event.answer.as_ref().map_or(0, |answer| answer.status)
}

fn approves(event: &Event) -> bool {
    matches!(event.call, Call::Check { .. })
        && event.answer.as_ref().is_some_and(|answer| answer.status == 200 && answer.json["valid"] == true)
}

/// An answer that is none of those that are promised.
fn dishonest(event: &Event) -> Option<String> {
    let answer = event.answer.as_ref()?;
    let fine = match &event.call {
        Call::Start { .. } => matches!(answer.status, 200 | 201 | 429 | 503),
        Call::Check { .. } => matches!(answer.status, 200 | 409 | 410 | 429 | 503),
        Call::Load { .. } => matches!(answer.status, 200 | 503),
    };
    let waits = !matches!(answer.status, 429 | 503) || answer.retry_after.is_some();
    let right = match &event.call {
        Call::Check { right, .. } => answer.status != 200 || answer.json["valid"] == *right,
        _ => true,
    };
    (!(fine && waits && right)).then(|| format!("{:?} was answered with {answer:?}", event.call))
}

/// Of one verification: one approval at most, no more comparisons than guesses, and an approval that stays.
fn by_verification(events: &[Event], max_checks: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut by_id: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        if let Call::Check { id, .. } | Call::Load { id } = &event.call {
            by_id.entry(id).or_default().push(event);
        }
    }
    for (id, events) in by_id {
        let compared = events.iter().filter(|e| matches!(e.call, Call::Check { .. }) && status(e) == 200).count();
        if compared > max_checks {
            found.push(format!("{id}: {compared} comparisons"));
        }
        let approvals: Vec<_> = events.iter().filter(|event| approves(event)).collect();
        if approvals.len() > 1 {
            found.push(format!("{id}: {} approvals", approvals.len()));
        }
        let Some(approved_by) = approvals.first().map(|event| event.ended) else { continue };
        let forgets = |event: &&&Event| match (&event.call, event.answer.as_ref()) {
            (_, None | Some(Answer { status: 503, .. })) => false,
            (Call::Load { .. }, Some(answer)) => answer.json["status"] != "approved",
            (_, Some(answer)) => !answer.is_problem("already_approved"),
        };
        let later = events.iter().filter(|event| event.began > approved_by);
        found.extend(later.filter(forgets).map(|event| format!("{id}: approved, and then {event:?}")));
    }
    found
}

/// Of one number: no more messages than its limit, and none acknowledged that was not sent.
fn by_number(events: &[Event], messages: &[String], max_sends: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut numbers: BTreeSet<&str> = messages.iter().map(String::as_str).collect();
    let mut acknowledged: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events {
        if let Call::Start { to } = &event.call
            && matches!(status(event), 200 | 201)
        {
            *acknowledged.entry(to).or_default() += 1;
            numbers.insert(to);
        }
    }
    for number in numbers {
        let sent = messages.iter().filter(|to| *to == number).count();
        let told = acknowledged.get(number).copied().unwrap_or_default();
        if sent > max_sends {
            found.push(format!("{number}: {sent} messages"));
        }
        if told > sent {
            found.push(format!("{number}: {told} starts acknowledged, {sent} messages"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    type Seen = (Call, Option<Answer>);

    fn answer(status: u16, json: &Value) -> Answer {
        Answer { status, text: json.to_string(), json: json.clone(), retry_after: Some(1), replayed: false }
    }

    fn check(right: bool) -> Call {
        Call::Check { id: "VE1".to_owned(), right }
    }

    fn of(events: &[Seen]) -> Vec<String> {
        let history = History::default();
        for (call, answer) in events {
            std::thread::sleep(std::time::Duration::from_millis(2));
            history.keep(call.clone(), Instant::now(), answer.clone());
        }
        history.contradictions(&["+1".to_owned()], 1, 2)
    }

    #[test]
    fn what_can_be_is_not_found() {
        let (yes, no) = (Some(answer(200, &json!({"valid": true}))), Some(answer(200, &json!({"valid": false}))));
        let over = Some(answer(409, &json!({"code": "already_approved"})));
        let load = Call::Load { id: "VE1".to_owned() };
        let seen = [
            (Call::Start { to: "+1".to_owned() }, Some(answer(201, &json!({})))),
            (Call::Start { to: "+1".to_owned() }, None),
            (check(false), no),
            (check(true), yes),
            (check(true), over),
            (load.clone(), Some(answer(200, &json!({"status": "approved"})))),
            (load, Some(answer(503, &json!({})))),
        ];
        assert_eq!(of(&seen), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_cannot_be_is_found() {
        let (yes, no) = (Some(answer(200, &json!({"valid": true}))), Some(answer(200, &json!({"valid": false}))));
        let load = Call::Load { id: "VE1".to_owned() };
        let start = || (Call::Start { to: "+1".to_owned() }, Some(answer(201, &json!({}))));
        let cases: [(&str, Vec<Seen>); 6] = [
            ("2 approvals", vec![(check(true), yes.clone()), (check(true), yes.clone())]),
            ("3 comparisons", vec![(check(false), no.clone()); 3]),
            (
                "approved, and then",
                vec![(check(true), yes.clone()), (load, Some(answer(200, &json!({"status": "pending"}))))],
            ),
            ("was answered with", vec![(check(false), yes)]),
            ("was answered with", vec![(check(true), Some(answer(500, &json!({}))))]),
            ("2 starts acknowledged", vec![start(), start()]),
        ];
        for (said, seen) in cases {
            let found = of(&seen);
            assert!(found.iter().any(|text| text.contains(said)), "{said}: {found:?}");
        }
        let history = History::default();
        let twice = ["+1".to_owned(), "+1".to_owned()];
        assert_eq!(history.contradictions(&twice, 1, 5), ["+1: 2 messages"]);
    }
}
