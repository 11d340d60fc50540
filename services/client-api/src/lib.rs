//! banyan-client-api.
