//! End-to-end tests of whole installations, and of the rules that hold the workspace together.

mod structure;
