//! banyan-roomserver.
