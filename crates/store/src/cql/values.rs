//! Values on their way to the database and back.

use bytes::Bytes;
use scylla::{
    frame::response::result::ColumnType as CqlType,
    response::query_result::{QueryResult, QueryRowsResult},
    serialize::{
        SerializationError,
        value::SerializeValue,
        writers::{CellWriter, WrittenCellProof},
    },
    value::{CqlValue, Row as CqlRow},
};

use super::errors::unreadable;
use crate::{Key, KeyPart, StoreError};

/// A bound value, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bind<'a> {
    Big(i64),
    Int(i32),
    Text(&'a str),
    Blob(&'a [u8]),
    /// Clustering keys of an `IN`.
    Keys(&'a CqlValue),
}

impl SerializeValue for Bind<'_> {
    fn serialize<'b>(&self, typ: &CqlType<'_>, writer: CellWriter<'b>) -> Result<WrittenCellProof<'b>, SerializationError> {
        match self {
            Self::Big(int) => int.serialize(typ, writer),
            Self::Int(int) => int.serialize(typ, writer),
            Self::Text(text) => text.serialize(typ, writer),
            Self::Blob(blob) => blob.serialize(typ, writer),
            Self::Keys(keys) => keys.serialize(typ, writer),
        }
    }
}

/// The parts of a key as bound values.
pub(super) fn bind_key(key: &Key) -> impl Iterator<Item = Bind<'_>> {
    key.iter().map(|part| match part {
        KeyPart::Int(int) => Bind::Big(*int),
        KeyPart::Text(text) => Bind::Text(text),
        KeyPart::Blob(blob) => Bind::Blob(blob),
    })
}

/// A key part as an owned value, for lists.
pub(super) fn owned(part: &KeyPart) -> CqlValue {
    match part {
        KeyPart::Int(int) => CqlValue::BigInt(*int),
        KeyPart::Text(text) => CqlValue::Text(text.clone()),
        KeyPart::Blob(blob) => CqlValue::Blob(blob.to_vec()),
    }
}

/// A row of an answer: its columns are taken from the left, as the statement names them.
pub(super) struct Columns(std::vec::IntoIter<Option<CqlValue>>);

impl Columns {
    pub(super) fn of(row: CqlRow) -> Self {
        Self(row.columns.into_iter())
    }

    fn next(&mut self) -> Option<CqlValue> {
        self.0.next().flatten()
    }

    /// Whether the column is not null.
    pub(super) fn is_set(&mut self) -> bool {
        self.next().is_some()
    }

    pub(super) fn int(&mut self) -> Result<i32, StoreError> {
        match self.next() {
            Some(CqlValue::Int(int)) => Ok(int),
            other => Err(unreadable(format!("expected an int, found {other:?}"))),
        }
    }

    pub(super) fn big(&mut self) -> Result<i64, StoreError> {
        match self.next() {
            Some(CqlValue::BigInt(int)) => Ok(int),
            other => Err(unreadable(format!("expected a bigint, found {other:?}"))),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        match self.next() {
            Some(CqlValue::Text(text)) => Ok(text),
            other => Err(unreadable(format!("expected a text, found {other:?}"))),
        }
    }

    pub(super) fn blob(&mut self) -> Result<Bytes, StoreError> {
        match self.next() {
            Some(CqlValue::Blob(blob)) => Ok(blob.into()),
            // An empty blob may come as the legacy "empty".
            Some(CqlValue::Empty) => Ok(Bytes::new()),
            other => Err(unreadable(format!("expected a blob, found {other:?}"))),
        }
    }

    /// `None` if the column is null.
    pub(super) fn maybe_big(&mut self) -> Result<Option<i64>, StoreError> {
        match self.next() {
            None => Ok(None),
            Some(CqlValue::BigInt(int)) => Ok(Some(int)),
            other => Err(unreadable(format!("expected a bigint, found {other:?}"))),
        }
    }

    /// `None` if the column is null.
    pub(super) fn maybe_blob(&mut self) -> Result<Option<Bytes>, StoreError> {
        match self.next() {
            None => Ok(None),
            Some(CqlValue::Blob(blob)) => Ok(Some(blob.into())),
            Some(CqlValue::Empty) => Ok(Some(Bytes::new())),
            other => Err(unreadable(format!("expected a blob, found {other:?}"))),
        }
    }

    pub(super) fn key_part(&mut self) -> Result<KeyPart, StoreError> {
        match self.next() {
            Some(CqlValue::BigInt(int)) => Ok(KeyPart::Int(int)),
            Some(CqlValue::Text(text)) => Ok(KeyPart::Text(text)),
            Some(CqlValue::Blob(blob)) => Ok(KeyPart::Blob(blob.into())),
            other => Err(unreadable(format!("expected a part of a key, found {other:?}"))),
        }
    }

    pub(super) fn key(&mut self, parts: usize) -> Result<Key, StoreError> {
        (0..parts).map(|_| self.key_part()).collect()
    }
}

/// The rows of an answer.
pub(super) fn rows(result: QueryResult) -> Result<Vec<Columns>, StoreError> {
    let rows: QueryRowsResult = result.into_rows_result().map_err(unreadable)?;
    let rows = rows.rows::<CqlRow>().map_err(unreadable)?;
    rows.map(|row| row.map(Columns::of).map_err(unreadable)).collect()
}

/// The answer to a conditional statement: whether it was applied, and the value of `column` if it was not and there is one.
pub(super) fn applied(result: QueryResult, column: &str) -> Result<Result<(), Option<CqlValue>>, StoreError> {
    let result = result.into_rows_result().map_err(unreadable)?;
    let position = |name: &str| result.column_specs().iter().position(|spec| spec.name() == name);
    let applied = position("[applied]").ok_or_else(|| unreadable("no [applied]"))?;
    let wanted = position(column);
    let mut columns = result.first_row::<CqlRow>().map_err(unreadable)?.columns;
    match columns.get(applied) {
        Some(Some(CqlValue::Boolean(true))) => Ok(Ok(())),
        Some(Some(CqlValue::Boolean(false))) => Ok(Err(wanted.and_then(|wanted| columns.get_mut(wanted)?.take()))),
        other => Err(unreadable(format!("[applied] is {other:?}"))),
    }
}
