//! banyan-users.
