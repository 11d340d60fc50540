//! Places in a room's timeline.

use std::fmt;

/// Where an event stands in a room's timeline: events that arrive take the next arrival index with `sub` 0; what is found later in a
/// gap before arrival `n` takes `(n, -1)`, `(n, -2)`, … backwards. Ordered as the timeline is. As a bound it means the point just
/// after the place, whether or not an event stands there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomPlace {
    /// Arrival index; history from before the first event that is known here counts down from -1.
    pub arrival: i64,
    /// Zero, or negative inside a gap that was filled.
    pub sub: i64,
}

impl RoomPlace {
    /// Before everything.
    pub const START: Self = Self { arrival: i64::MIN, sub: 0 };
    /// After everything.
    pub const END: Self = Self { arrival: i64::MAX, sub: 0 };

    /// The place of arrival `arrival`.
    #[must_use]
    pub const fn arrival(arrival: i64) -> Self {
        Self { arrival, sub: 0 }
    }

    /// A place from its parts.
    #[must_use]
    pub const fn new(arrival: i64, sub: i64) -> Self {
        Self { arrival, sub }
    }

    /// As a bound: just before the event at this place.
    #[must_use]
    pub const fn before(self) -> Self {
        Self { arrival: self.arrival, sub: self.sub.saturating_sub(1) }
    }
}

impl fmt::Display for RoomPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.arrival, self.sub)
    }
}
