//! Keys: short tuples of typed parts.

use bytes::Bytes;

/// One part of a key. Parts of one column are all of the column's type, so the order between types never matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPart {
    /// CQL `bigint`; ordered as a signed number.
    Int(i64),
    /// CQL `text`; ordered by its UTF-8 bytes.
    Text(String),
    /// CQL `blob`; ordered by its bytes.
    Blob(Bytes),
}

impl From<i64> for KeyPart {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for KeyPart {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for KeyPart {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Bytes> for KeyPart {
    fn from(value: Bytes) -> Self {
        Self::Blob(value)
    }
}

impl From<&[u8]> for KeyPart {
    fn from(value: &[u8]) -> Self {
        Self::Blob(Bytes::copy_from_slice(value))
    }
}

impl KeyPart {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(int) = self { Some(*int) } else { None }
    }

    /// The bytes, if it is a blob.
    #[must_use]
    pub const fn as_blob(&self) -> Option<&Bytes> {
        if let Self::Blob(blob) = self { Some(blob) } else { None }
    }
}

/// A partition key or a clustering key: its parts in column order. A clustering key used as a bound may be a prefix.
pub type Key = Vec<KeyPart>;

/// Builds a [`Key`]: `key!["!room:example.org", 5_i64]`.
#[macro_export]
macro_rules! key {
    ($($part:expr),* $(,)?) => { vec![$($crate::KeyPart::from($part)),*] };
}
