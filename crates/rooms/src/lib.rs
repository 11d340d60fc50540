//! banyan-rooms.
