//! Positions that clients hold: `next_batch` of a sync ([`StreamToken`]), `prev_batch` of a timeline ([`PlaceToken`]), and what
//! every paging endpoint accepts ([`PageToken`]: either of the two).
//!
//! A `next_batch` names the position in the log of the user's shard and in the log of *every* room shard: with a sparse vector a room
//! that is new could not be told from one that is old. The text is base64url without padding behind one letter that says which
//! kind it is; inside are LEB128 varints, the room positions as differences to the least of them.

use std::{fmt, str::FromStr};

use banyan_core::{LogSeq, ShardCount, ShardId};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::RoomPlace;

/// The version that is written. Others are refused: a client then starts afresh.
const VERSION: u8 = 1;
/// Rooms with a typing notification that a token may carry.
const MAX_TYPING: usize = 256;
/// Longest token text that is looked at.
const MAX_TEXT: usize = 128 * 1024;

/// What a client has seen: everything below these positions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StreamToken {
    /// Generation of the shards; changes when their number grows.
    pub generation: u32,
    /// Position in the log of the user's own shard.
    pub user: LogSeq,
    /// Position among the to-device messages of the user's device.
    pub to_device: u64,
    /// Presence seen until then, milliseconds since the Unix epoch; 0: none.
    pub presence: u64,
    /// Position in the log of each room shard, in order; as many as there are shards.
    pub rooms: Vec<LogSeq>,
    /// Rooms whose typing set, as last sent, was not empty, each behind eight characters that stand for the set. At most 256 are kept.
    pub typing: Vec<String>,
}

/// A text that is no token. Clients are answered `M_INVALID_PARAM`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token's alphabet, length or first letter.
    #[error("not a token")]
    Malformed,
    /// A token of another version of the format.
    #[error("a token of unknown version {0}")]
    Version(u8),
    /// A token of an installation with another number of shards.
    #[error("a token for {found} shards, where there are {expected}")]
    Shards {
        /// The number in the token.
        found: usize,
        /// The number there are.
        expected: usize,
    },
}

impl StreamToken {
    /// The token before everything.
    #[must_use]
    pub fn start(shards: ShardCount) -> Self {
        Self { rooms: vec![LogSeq::default(); usize::from(shards.get())], ..Self::default() }
    }

    /// The position in the log of a room shard; the start of the log for a shard that the token does not name.
    #[must_use]
    pub fn room(&self, shard: ShardId) -> LogSeq {
        self.rooms.get(usize::from(shard.0)).copied().unwrap_or_default()
    }

    /// Whether this token has seen all that `other` has.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.rooms.len() == other.rooms.len()
            && self.user >= other.user
            && self.to_device >= other.to_device
            && self.rooms.iter().zip(&other.rooms).all(|(mine, theirs)| mine >= theirs)
    }

    /// Reads a token and checks that it is for this number of shards.
    ///
    /// # Errors
    /// Every text that [`StreamToken`]'s `Display` did not make, and tokens for other numbers of shards.
    pub fn parse(text: &str, shards: ShardCount) -> Result<Self, TokenError> {
        let token: Self = text.parse()?;
        let expected = usize::from(shards.get());
        if token.rooms.len() != expected {
            return Err(TokenError::Shards { found: token.rooms.len(), expected });
        }
        Ok(token)
    }
}

impl fmt::Display for StreamToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(32 + self.rooms.len() * 5);
        bytes.push(VERSION);
        put(&mut bytes, u64::from(self.generation));
        put(&mut bytes, self.user.0);
        put(&mut bytes, self.to_device);
        put(&mut bytes, self.presence);
        let least = self.rooms.iter().min().copied().unwrap_or_default();
        put(&mut bytes, self.rooms.len() as u64);
        put(&mut bytes, least.0);
        self.rooms.iter().for_each(|position| put(&mut bytes, position.0 - least.0));
        let typing = &self.typing[..self.typing.len().min(MAX_TYPING)];
        put(&mut bytes, typing.len() as u64);
        for room in typing {
            put(&mut bytes, room.len() as u64);
            bytes.extend_from_slice(room.as_bytes());
        }
        write!(f, "s{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for StreamToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let bytes = decode(text, 's')?;
        let mut reader = Reader::new(&bytes)?;
        let generation = u32::try_from(reader.number()?).map_err(|_| TokenError::Malformed)?;
        let user = LogSeq(reader.number()?);
        let to_device = reader.number()?;
        let presence = reader.number()?;
        let count = reader.count(usize::from(u16::MAX))?;
        let least = reader.number()?;
        let rooms = (0..count)
            .map(|_| reader.number()?.checked_add(least).map(LogSeq).ok_or(TokenError::Malformed))
            .collect::<Result<Vec<_>, _>>()?;
        let typing = (0..reader.count(MAX_TYPING)?).map(|_| reader.text()).collect::<Result<Vec<_>, _>>()?;
        reader.end()?;
        Ok(Self { generation, user, to_device, presence, rooms, typing })
    }
}

/// A place in the timeline of a room, as a client holds it: `prev_batch`, and `start` and `end` of /messages. The point just after
/// the place, as [`RoomPlace`] is read as a bound: the `prev_batch` of a timeline is its first event's [`RoomPlace::before`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceToken(pub RoomPlace);

impl fmt::Display for PlaceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        put(&mut bytes, zigzag(self.0.arrival));
        put(&mut bytes, zigzag(self.0.sub));
        write!(f, "t{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for PlaceToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let bytes = decode(text, 't')?;
        let mut reader = Reader::new(&bytes)?;
        let place = RoomPlace::new(unzigzag(reader.number()?), unzigzag(reader.number()?));
        reader.end()?;
        Ok(Self(place))
    }
}

/// What a paging endpoint (/messages, /context, /relations, /members?at) accepts. The `pos` of a sliding sync (MSC4186) is a stream
/// token with more behind a dot, which says nothing about rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageToken {
    /// The end of a sync: in each room, everything below the position of its shard.
    Stream(StreamToken),
    /// A place in the timeline of the room that the endpoint is about.
    Place(PlaceToken),
}

impl FromStr for PageToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        if text.starts_with('t') {
            return text.parse().map(Self::Place);
        }
        text.split_once('.').map_or(text, |(stream, _)| stream).parse().map(Self::Stream)
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(token) => token.fmt(f),
            Self::Place(place) => place.fmt(f),
        }
    }
}

fn decode(text: &str, kind: char) -> Result<Vec<u8>, TokenError> {
    let body = text.strip_prefix(kind).filter(|body| body.len() <= MAX_TEXT).ok_or(TokenError::Malformed)?;
    URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError::Malformed)
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, TokenError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => Ok(Self(rest)),
            Some((other, _)) => Err(TokenError::Version(*other)),
            None => Err(TokenError::Malformed),
        }
    }

    fn number(&mut self) -> Result<u64, TokenError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(TokenError::Malformed)?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(TokenError::Malformed)
    }

    fn count(&mut self, most: usize) -> Result<usize, TokenError> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= most).ok_or(TokenError::Malformed)
    }

    fn text(&mut self) -> Result<String, TokenError> {
        let length = self.count(255 + 8)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(TokenError::Malformed)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|_| TokenError::Malformed)
    }

    fn end(&self) -> Result<(), TokenError> {
        if self.0.is_empty() { Ok(()) } else { Err(TokenError::Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(spread: u64) -> StreamToken {
        let rooms = (0..64).map(|n: u64| LogSeq(3_000_000_000 + n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % spread)).collect();
        StreamToken {
            generation: 0,
            user: LogSeq(2_000_000_000),
            to_device: 1 << 30,
            presence: 1_760_000_000_000,
            rooms,
            typing: vec![],
        }
    }

    #[test]
    fn a_token_of_64_shards_has_about_430_characters() {
        let busy = token(1 << 32).to_string();
        assert!((400..=460).contains(&busy.len()), "{}", busy.len());
        let even = token(1 << 20).to_string();
        assert!(even.len() < 290, "{}", even.len());
        let fresh = StreamToken::start(ShardCount::DEFAULT).to_string();
        assert!(fresh.len() < 100, "{}", fresh.len());
    }

    #[test]
    fn the_text_stays_what_it_is() {
        let token = StreamToken {
            generation: 1,
            user: LogSeq(300),
            to_device: 2,
            presence: 0,
            rooms: vec![LogSeq(1000), LogSeq(1001), LogSeq(1500), LogSeq(1000)],
            typing: vec!["!a:b".to_owned()],
        };
        assert_eq!(token.to_string(), "sAQGsAgIABOgHAAH0AwABBCFhOmI");
        assert_eq!(PlaceToken(RoomPlace::new(70, -1)).to_string(), "tAYwBAQ");
    }

    #[test]
    fn other_shards_and_versions_are_refused() {
        let text = token(100).to_string();
        assert_eq!(
            StreamToken::parse(&text, ShardCount::new(128).expect("a power of two")),
            Err(TokenError::Shards { found: 64, expected: 128 })
        );
        assert_eq!("sAg".parse::<StreamToken>(), Err(TokenError::Version(2)));
        for text in ["", "s", "s!", "t", "s72594_4483_1934", "tAYwBAQAA", "sAQGsAgIABOgHAAH0AwABBCFhOm"] {
            assert!(text.parse::<PageToken>().is_err(), "{text}");
        }
    }

    #[test]
    fn order_between_tokens_is_by_every_shard() {
        let (old, mut new) = (token(100), token(100));
        new.rooms[5] = new.rooms[5].plus(1);
        assert!(new.covers(&old) && old.covers(&old) && !old.covers(&new));
        new.user = LogSeq(0);
        assert!(!new.covers(&old));
    }

    proptest! {
        #[test]
        fn every_token_reads_back(
            generation: u32, user: u64, to_device: u64, presence: u64,
            rooms in proptest::collection::vec(any::<u64>(), 0..130),
            typing in proptest::collection::vec("![a-z]{1,20}:[a-z]{1,20}", 0..5),
        ) {
            let rooms = rooms.into_iter().map(LogSeq).collect();
            let token = StreamToken { generation, user: LogSeq(user), to_device, presence, rooms, typing };
            prop_assert_eq!(token.to_string().parse::<StreamToken>(), Ok(token.clone()));
            prop_assert_eq!(token.to_string().parse::<PageToken>(), Ok(PageToken::Stream(token.clone())));
            let pos = format!("{token}.1.17");
            prop_assert!(pos.parse::<StreamToken>().is_err());
            prop_assert_eq!(pos.parse::<PageToken>(), Ok(PageToken::Stream(token)));
        }

        #[test]
        fn every_place_reads_back(arrival: i64, sub: i64) {
            let place = PlaceToken(RoomPlace::new(arrival, sub));
            prop_assert_eq!(place.to_string().parse::<PageToken>(), Ok(PageToken::Place(place)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[st][A-Za-z0-9_-]{0,80}") {
            let _ = text.parse::<PageToken>();
        }
    }
}
