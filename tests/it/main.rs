//! End-to-end tests of whole installations, and of the rules that hold the workspace together.

mod chaos;
mod clients;
mod faults;
mod structure;
mod tenants;
