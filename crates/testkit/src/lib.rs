//! banyan-testkit.
