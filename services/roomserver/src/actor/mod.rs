//! Shards and the rooms they hold in memory. A room has one turn at a time: whoever has it sees the room as all turns before it left it,
//! committed or not, and adds to the log in the same order.

mod caller;
mod commit;
mod device_lists;
mod known_state;
mod listing;
mod outcome;
mod receipt_slots;
mod receipts;
mod room;
mod shard;
mod turn;
mod typing;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    caller::Caller,
    commit::{commit_all, lane},
    outcome::{CommandKey, Outcome},
    shard::Shard,
    turn::Turn,
};
