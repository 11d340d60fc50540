//! banyan-federation-api.
