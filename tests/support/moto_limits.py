"""What moto cannot honour: test → reason. All else runs on moto as on DynamoDB Local."""

from __future__ import annotations

CANNOT: dict[str, str] = {
    "test_threads.py::test_two_threads_share_a_ledger": "it loses updates and raises under threads",
    "test_threads.py::test_threads_with_one_key_make_one_transaction": (
        "it loses updates and raises under threads"
    ),
    "test_threads.py::test_asyncio_goes_through_to_thread": (
        "it loses updates and raises under threads"
    ),
    "test_bulk_calls.py::test_several_calls_in_flight_keep_the_order": (
        "it loses updates and raises under threads"
    ),
    "test_bulk_calls.py::test_one_key_in_two_calls_in_flight_moves_the_money_once": (
        "it loses updates and raises under threads"
    ),
    "test_conflicts.py::test_fault_02_a_conflict_never_reaches_the_view": (
        "a transaction that it cancels leaves its records in the stream"
    ),
    "test_batch.py::test_22_what_no_repetition_helps_is_quarantined_and_the_shard_goes_on": (
        "it adds up to numbers of more than 38 digits"
    ),
    "test_handler.py::test_it_runs_by_its_environment_alone": "no other process reaches it",
    "test_batch.py::test_folds_go_side_by_side": "it loses updates and raises under threads",
    "test_memory.py::test_ten_times_the_events_take_the_same_memory": (
        "its tables are in the memory that is measured"
    ),
    "test_deployments.py::test_a_table_of_an_older_version_is_misconfigured_and_not_a_wrong_call": (
        "it takes an index that is missing for a table that is missing"
    ),
    "test_restore.py::test_a_replay_of_a_long_history_is_in_order_and_side_by_side": (
        "it loses updates and raises under threads"
    ),
}
