//! The error codes that each operation can answer with, next to those of every operation with a key.

use crate::http::error_code::ErrorCode::{
    AlreadyApproved, Canceled, Expired, IdempotencyConflict, InvalidPhoneNumber, InvalidRequest, MaxChecksReached,
    MaxSendsReached, RateLimited, SenderUnavailable, Undeliverable,
};
use crate::http::openapi::{ACCEPTED_BODY, KEYED, NUMBER, OWN_CODE, STORED, problems};

problems! {
    StartProblems: [
        KEYED, ACCEPTED_BODY, STORED, NUMBER, OWN_CODE,
        &[IdempotencyConflict, MaxChecksReached, MaxSendsReached, RateLimited, Undeliverable, SenderUnavailable],
    ];
    LoadProblems: [KEYED, STORED, &[InvalidRequest]];
    ResendProblems: [
        KEYED, ACCEPTED_BODY, STORED,
        &[AlreadyApproved, Canceled, Expired, IdempotencyConflict],
        &[MaxChecksReached, MaxSendsReached, RateLimited, Undeliverable, SenderUnavailable],
    ];
    CheckProblems: [
        KEYED, ACCEPTED_BODY, STORED, OWN_CODE,
        &[AlreadyApproved, Canceled, Expired, IdempotencyConflict, MaxChecksReached, RateLimited],
    ];
    CheckByNumberProblems: [
        KEYED, ACCEPTED_BODY, STORED, NUMBER, OWN_CODE,
        &[AlreadyApproved, Canceled, Expired, IdempotencyConflict, MaxChecksReached, RateLimited],
    ];
    CancelProblems: [
        KEYED, ACCEPTED_BODY, STORED, &[AlreadyApproved, Canceled, Expired, IdempotencyConflict, MaxChecksReached],
    ];
    PreviewProblems: [KEYED, ACCEPTED_BODY, STORED, NUMBER, OWN_CODE, &[IdempotencyConflict]];
    LimitsProblems: [KEYED, STORED, NUMBER, &[InvalidRequest]];
    DeliveriesProblems: [KEYED, STORED, &[InvalidRequest, InvalidPhoneNumber]];
    DeliveryProblems: [KEYED, STORED, &[InvalidRequest]];
    StatsProblems: [KEYED, STORED, &[InvalidRequest]];
    ForgetProblems: [KEYED, ACCEPTED_BODY, STORED, NUMBER];
    UnlockProblems: [KEYED, ACCEPTED_BODY, STORED, NUMBER, &[IdempotencyConflict]];
}
