//! Tenants: server names with their signing keys and policies.
