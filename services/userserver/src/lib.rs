//! banyan-userserver.
