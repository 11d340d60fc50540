//! banyan-sync.
