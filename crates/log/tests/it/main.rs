//! The log as its users see it, on the memory store and the in-process bus.

mod world;

mod owning;
