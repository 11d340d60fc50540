//! banyan-http.
