//! Starts installations of Banyan and talks to them.
