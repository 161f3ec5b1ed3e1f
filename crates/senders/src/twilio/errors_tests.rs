//! The table against a second, independent list of codes by action.

use std::collections::BTreeMap;

use super::*;

/// Permanent for the number.
const FOR_THE_NUMBER: &[u32] = &[21211, 21214, 21217, 21265, 21268, 21401, 21421, 21610, 30004, 30005, 30038];
/// Permanent for this channel: a call, or a text instead of `WhatsApp`, may reach it.
const FOR_THE_CHANNEL: &[u32] = &[21614, 21635, 30006, 60008, 60205, 63003, 63013, 63014, 63024, 63026, 63032, 63033];
/// Blocked as fraud.
const AS_FRAUD: &[u32] = &[21216, 30450, 30453, 60410, 60413, 60605];
/// Want of room, without a time.
const FOR_LATER: &[u32] = &[20429, 25109, 30017, 30022, 30023, 30027, 60212, 63017, 63018, 63038];
/// Ambiguous.
const AMBIGUOUS: &[u32] = &[20500, 20503, 30410];
/// Configuration, billing, registration, our own request, or an outage after which another sender should try.
const ELSEWHERE: &[u32] = &[
    20003, 20004, 20005, 20008, 20404, 20422, 21212, 21215, 21219, 21266, 21267, 21408, 21601, 21602, 21603, 21604,
    21605, 21606, 21608, 21609, 21611, 21612, 21617, 21618, 21619, 21624, 21654, 21655, 21656, 21657, 21659, 21660,
    21661, 21701, 21703, 21704, 21705, 30001, 30002, 30003, 30007, 30008, 30010, 30012, 30013, 30018, 30019, 30020,
    30021, 30024, 30032, 30033, 30034, 30035, 30036, 30040, 30041, 30042, 30045, 30500, 60001, 60002, 60004, 60005,
    60200, 60201, 60204, 60206, 60207, 60208, 60209, 60210, 60211, 60213, 60214, 60217, 60220, 60221, 60223, 60224,
    60226, 60227, 60228, 60229, 60238, 60331, 60408, 60411, 60602, 60735, 63001, 63002, 63007, 63008, 63009, 63010,
    63012, 63015, 63016, 63027, 63028, 63040, 63041, 63042, 63051, 90007, 90010,
];

#[test]
fn every_code_maps_as_intended() {
    let mut intended =
        BTreeMap::from([(14107, throttled_for(30)), (60202, throttled_for(600)), (60203, throttled_for(600))]);
    for (codes, kind) in [
        (FOR_THE_NUMBER, SendErrorKind::Rejected),
        (FOR_THE_CHANNEL, SendErrorKind::Unsupported),
        (AS_FRAUD, SendErrorKind::SuspectedFraud),
        (FOR_LATER, SendErrorKind::Throttled { retry_after: None }),
        (AMBIGUOUS, SendErrorKind::Unknown),
        (ELSEWHERE, SendErrorKind::Unavailable),
    ] {
        for code in codes {
            assert_eq!(intended.insert(*code, kind), None, "{code} is listed twice");
        }
    }
    let table: BTreeMap<u32, SendErrorKind> = TABLE.iter().map(|line| (line.code, line.kind)).collect();
    for code in intended.keys().chain(table.keys()) {
        assert_eq!(table.get(code), intended.get(code), "{code}");
    }
    assert!(TABLE.is_sorted_by(|a, b| a.code < b.code), "ascending, each code once");
}

#[test]
fn meanings_are_sentences_without_data() {
    for line in TABLE {
        let longest_digits = line.meaning.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
        assert!(line.meaning.len() > 10 && longest_digits <= 4, "{}: {}", line.code, line.meaning);
    }
}

#[test]
fn the_two_attempt_limits_are_not_swapped() {
    assert!(find(60202, None).unwrap().meaning.contains("check attempts"));
    assert!(find(60203, None).unwrap().meaning.contains("send attempts"));
}

#[test]
fn an_invalid_parameter_is_the_numbers_fault_only_when_it_is_the_recipient() {
    let kind = |message| find(60200, message).unwrap().kind;
    assert_eq!(kind(Some("Invalid parameter `To`: +1…")), SendErrorKind::Rejected);
    assert_eq!(kind(Some("Invalid parameter: Locale")), SendErrorKind::Unavailable);
    assert_eq!(kind(None), SendErrorKind::Unavailable);
    assert_eq!(find(99_999, None), None);
}

#[test]
fn statuses_alone_map_by_class() {
    for (status, kind) in [
        (200, SendErrorKind::Unknown),
        (301, SendErrorKind::Unavailable),
        (302, SendErrorKind::Unknown),
        (303, SendErrorKind::Unknown),
        (307, SendErrorKind::Unavailable),
        (308, SendErrorKind::Unavailable),
        (400, SendErrorKind::Unavailable),
        (401, SendErrorKind::Unavailable),
        (404, SendErrorKind::Unavailable),
        (408, SendErrorKind::Unknown),
        (429, SendErrorKind::Throttled { retry_after: None }),
        (499, SendErrorKind::Unavailable),
        (500, SendErrorKind::Unknown),
        (503, SendErrorKind::Unknown),
        (599, SendErrorKind::Unknown),
    ] {
        assert_eq!(kind_of_status(status), kind, "{status}");
    }
}
