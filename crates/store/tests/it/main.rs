//! The store's backends: one suite on all three, and what is particular to each.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cql;
mod embedded;
mod fixture;
mod memory;
mod suite;

use fixture::Fixture;

/// One test per rule and backend.
macro_rules! conformance {
    ($($module:ident: $($rule:ident),+;)+) => {
        mod on_memory {
            $($(#[tokio::test] async fn $rule() { crate::suite::$module::$rule(&crate::Fixture::memory(stringify!($rule))).await; })+)+
        }
        mod on_embedded {
            $($(#[tokio::test] async fn $rule() { crate::suite::$module::$rule(&crate::Fixture::embedded(stringify!($rule))).await; })+)+
        }
        mod on_cql {
            $($(#[test] fn $rule() {
                crate::fixture::runtime().block_on(async {
                    crate::suite::$module::$rule(&crate::Fixture::cql(stringify!($rule)).await).await;
                });
            })+)+
        }
    };
}

conformance! {
    reads: missing_rows_are_none, rows_read_back, odd_keys_and_values_read_back, tables_without_clustering, many_rows_at_once;
    writers: the_later_write_wins, a_deleted_row_stays_deleted, ties_are_decided_alike, the_last_write_of_a_batch_counts, cache_rows_expire;
    ranges: both_directions, prefixes, pages, large_partitions, random_ranges_agree_with_memory;
    limits: wrong_keys_are_refused, wrong_modes_are_refused, too_much_is_refused;
    conditional: insert_happens_once, replace_needs_the_expected_value, one_of_many_wins, a_counter_loses_nothing, rows_expire;
    logs: an_owner_is_created_once, owners_are_replaced_by_epoch, one_claim_wins, heads, appends_are_dense, a_batch_is_whole_or_not,
        a_stale_owner_is_fenced_across_a_roll, one_of_many_appends_wins, many_logs_at_once, dropping_a_bucket_keeps_its_head,
        wrong_appends_are_refused, the_clock_is_near;
}
