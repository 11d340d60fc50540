//! banyan-runtime.
