//! banyan-tests.
