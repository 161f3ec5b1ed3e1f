//! The contract suite of the store port: one function a property, each on a store of its own.
//!
//! `store_contract_tests!(factory)` stamps out one test for each in the calling module; the calling crate needs tokio with
//! `macros` and `rt-multi-thread`. A store passes only if all do. The rules are those of the documentation of
//! [`Store`](crate::store::Store); what a random walk finds better is left to [`model`](super::model).
//!
//! A store that lies on a server of its own has a server's clock, room and expiry: none of them is the store's to judge.
//! `fleet_store_contract_tests!(factory)` leaves out what only a store for one process can hold: that it counts its records against a
//! cap, that it sweeps when told to and says how much went, and that one clock for all, once it went back too far, stops every
//! decision until an operator accepts it.

pub mod capacity;
pub mod checks;
pub mod clock_faults;
pub mod expiry;
pub mod guesses;
pub mod life;
pub mod limits;
pub mod refunds;
pub mod repeats;
pub mod replies;
pub mod restart;
pub mod sends;

/// Stamps out every property of the contract as a test on stores made by the factory that the expression gives.
#[macro_export]
macro_rules! store_contract_tests {
    ($factory:expr) => {
        $crate::fleet_store_contract_tests!($factory);
        $crate::fleet_store_contract_tests! { @tests $factory;
            capacity: full_refuses_new_starts_and_evicts_nothing, full_counts_only_what_is_new, room_comes_back_with_purge;
            clock_faults: large_step_back_stops_every_decision, clock_fault_needs_acceptance,
                acceptance_voids_what_is_pending, forward_jump_and_back_freezes_no_limit, acceptance_keeps_older_charges,
                reads_answer_during_a_clock_fault;
            life: a_row_that_ended_is_not_kept_for_a_year;
            replies: forgotten_replies_are_swept, replies_count_as_records, replies_follow_the_clock;
            restart: a_restart_remembers_when_it_swept;
        }
    };
}

/// Stamps out every property that a store on a server of its own must have too; `in turn: factory` is an expression that tries them one
/// after the other, for a server that takes long to start.
#[macro_export]
macro_rules! fleet_store_contract_tests {
    (in turn: $factory:expr) => {
        $crate::fleet_store_contract_tests!(@fleet in_turn $factory)
    };
    (@fleet $how:ident $factory:expr) => {
        $crate::fleet_store_contract_tests! { @$how $factory;
            checks: approved_at_most_once, wrong_and_right_after_approval_are_refused, parallel_right_checks_approve_once,
                parallel_guesses_are_compared_at_most_five_times, sixth_guess_is_not_compared_even_if_right,
                wrong_length_costs_nothing, code_of_another_verification_is_wrong, code_survives_key_rotation,
                code_of_a_removed_key_is_over, check_delays_are_enforced, a_canceled_code_is_never_right;
            clock_faults: small_step_back_is_clamped;
            expiry: right_until_the_last_millisecond, resend_does_not_extend_the_life, expired_by_number_too,
                a_new_start_follows_expiry, nothing_revives_an_expired_code;
            guesses: budget_survives_resend, budget_survives_cancel_and_restart, budget_is_per_service,
                exhausted_verification_blocks_starts_until_it_ends, no_message_without_a_guess_left,
                a_hundred_in_a_row_need_an_unlock, a_right_guess_ends_the_row, unlock_resets_only_the_row;
            life: info_and_load_have_no_effect, cancel_ends_once, another_tenant_finds_nothing, forget_keeps_counters,
                forget_of_one_service_spares_others, purge_drops_only_what_is_due, secret_of_an_expired_code_is_swept_at_once, purge_spares_counters,
                conflict_of_code_or_purpose, metadata_comes_back_sealed;
            limits: a_denial_spends_nothing, sixth_start_waits_exactly, denied_tries_are_not_logged,
                harassment_cap_spans_services, address_networks_have_their_own_counts, address_limit_is_exact,
                lowered_limits_apply_at_once, parallel_starts_of_many_numbers_respect_the_address;
            refunds: refund_gives_back_everything, refund_happens_once, no_refund_without_asking,
                all_failed_is_failed, one_taken_message_keeps_it_pending, refund_reaches_only_its_own_delivery,
                a_late_refund_is_no_credit, settlement_of_strangers_is_ignored;
            repeats: a_repeated_start_sends_nothing, a_repeated_resend_sends_nothing, a_failed_send_is_tried_again,
                a_repeated_right_check_is_right_again, a_repeated_wrong_check_costs_once, a_request_is_remembered_for_a_day;
            replies: a_request_is_begun_once, parallel_requests_begin_once, a_reply_is_kept_for_a_day,
                an_abandoned_request_runs_anew, a_lease_ends, only_what_was_begun_is_kept, a_forgotten_reply_is_gone,
                a_forgotten_reply_is_gone_before_it_is_swept;
            restart: restart_changes_nothing, restart_between_every_step;
            sends: parallel_starts_are_one_verification, parallel_starts_with_delays_admit_one, resend_delays_escalate,
                resend_delay_ends_with_the_verification, max_sends_until_the_end, max_sends_tells_when_a_start_works, a_code_for_one_number_approves_no_other, order_of_refusals,
                next_send_is_told_exactly, refunded_sends_do_not_count_but_are_bounded;
        }
    };
    (@in_turn $factory:expr; $($group:ident: $($property:ident),+;)+) => {
        $($($crate::testing::store_contract::$group::$property($factory).await;)+)+
    };
    (@tests $factory:expr; $($group:ident: $($property:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $property() {
                $crate::testing::store_contract::$group::$property(&$factory).await;
            }
        )+)+
    };
    ($factory:expr) => {
        $crate::fleet_store_contract_tests!(@fleet tests $factory);
    };
}
