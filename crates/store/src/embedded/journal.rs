//! What a power failure leaves of a journal. The library cuts off what does not read as a record, and refuses to open where a record reads
//! but its batch does not: a batch of which only some pages reached the disk. What is left of a write that was never acknowledged must
//! not keep a store from opening, and what was acknowledged must not vanish silently, so both are looked for before.
//!
//! The format (fjall 3): batches of a start (1, items: u32, sequence: u64), items (2, kind: u8, compression: u8, keyspace: u64, sizes of key:
//! u16, value: u32, and stored value: u32, key, stored value) and clears (4, keyspace: u64), and an end (3, XXH3 of what lies between:
//! u64, `FJL\x03`), all little-endian. Behind the last batch there are zeros.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3;

const MAGIC: &[u8] = b"FJL\x03";
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;

/// What there is behind the last whole batch of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    Clean,
    /// The remains of a write that did not reach the disk as a whole, from this byte on.
    Torn(u64),
    /// From this byte on something does not read, and behind it are whole batches.
    Damaged(u64),
}

/// Looks at the journal that was written last in the folder of a database. The others were synced when they were full.
pub(super) fn examine(folder: &Path) -> io::Result<Option<(PathBuf, Tail)>> {
    let Some(path) = last_journal(folder)? else { return Ok(None) };
    let tail = tail(&written(&path)?);
    Ok(Some((path, tail)))
}

/// What a journal holds, without the zeros at its end that it was made with.
fn written(path: &Path) -> io::Result<Vec<u8>> {
    const CHUNK: u64 = 1 << 20;
    let mut file = File::open(path)?;
    let mut length = file.metadata()?.len();
    let mut bytes = Vec::new();
    while length > 0 {
        let begin = (length - 1) / CHUNK * CHUNK;
        file.seek(SeekFrom::Start(begin))?;
        bytes.clear();
        file.by_ref().take(length - begin).read_to_end(&mut bytes)?;
        if bytes.iter().any(|byte| *byte != 0) {
            break;
        }
        length = begin;
    }
    bytes.clear();
    file.rewind()?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Cuts a journal off.
pub(super) fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_all()
}

fn last_journal(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut last: Option<(u64, PathBuf)> = None;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_journal = path.extension().is_some_and(|extension| extension == "jnl");
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|_| is_journal)
            && last.as_ref().is_none_or(|(highest, _)| *highest < number)
        {
            last = Some((number, path));
        }
    }
    Ok(last.map(|(_, path)| path))
}

fn tail(journal: &[u8]) -> Tail {
    let mut end = 0;
    while let Some(length) = batch(&journal[end..]) {
        end += length;
    }
    let rest = &journal[end..];
    if rest.iter().all(|byte| *byte == 0) {
        return Tail::Clean;
    }
    let starts = rest.iter().enumerate().skip(1).filter(|(_, byte)| **byte == START);
    if starts.map(|(at, _)| at).any(|at| batch(&rest[at..]).is_some()) { Tail::Damaged(end as u64) } else { Tail::Torn(end as u64) }
}

/// The length of the batch at the beginning of `bytes`, if there is a whole one.
fn batch(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.u8()? != START {
        return None;
    }
    let items = reader.u32()?;
    reader.skip(8)?;
    let begin = reader.at;
    for _ in 0..items {
        match reader.u8()? {
            ITEM => {
                reader.skip(10)?;
                let key = usize::from(reader.u16()?);
                reader.skip(4)?;
                let value = usize::try_from(reader.u32()?).ok()?;
                reader.skip(key.checked_add(value)?)?;
            }
            CLEAR => reader.skip(8)?,
            _ => return None,
        }
    }
    let content = &bytes[begin..reader.at];
    if reader.u8()? != END {
        return None;
    }
    let sum = reader.u64()?;
    let magic = reader.take(MAGIC.len())?;
    let mut hasher = Xxh3::new();
    hasher.update(content);
    (magic == MAGIC && hasher.digest() == sum).then_some(reader.at)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(|_| ())
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(sequence: u64, value: &[u8]) -> Vec<u8> {
        let mut items = vec![ITEM, 0, 0];
        items.extend(7_u64.to_le_bytes());
        items.extend(3_u16.to_le_bytes());
        items.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        items.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        items.extend(b"key");
        items.extend(value);
        items.push(CLEAR);
        items.extend(7_u64.to_le_bytes());
        let mut batch = vec![START];
        batch.extend(2_u32.to_le_bytes());
        batch.extend(sequence.to_le_bytes());
        let mut hasher = Xxh3::new();
        hasher.update(&items);
        batch.extend(items);
        batch.push(END);
        batch.extend(hasher.digest().to_le_bytes());
        batch.extend(MAGIC);
        batch
    }

    #[test]
    fn a_tail_is_clean_torn_or_damaged() {
        let first = [whole(1, b"one"), whole(2, &[1; 300])].concat();
        let last = whole(3, b"three");
        let end = first.len() as u64;
        assert_eq!(tail(&[]), Tail::Clean);
        assert_eq!(tail(&[&first[..], &last, &[0; 100]].concat()), Tail::Clean);
        for length in 1..last.len() {
            assert_eq!(tail(&[&first[..], &last[..length]].concat()), Tail::Torn(end), "{length} bytes of the last batch");
            assert_eq!(tail(&[&first[..], &last[..length], &[0; 100]].concat()), Tail::Torn(end), "{length} bytes, then zeros");
        }
        for at in 0..last.len() {
            // Sequences are no part of the sum.
            if (5..13).contains(&at) {
                continue;
            }
            let mut garbled = [&first[..], &last].concat();
            garbled[first.len() + at] ^= 0x55;
            assert_eq!(tail(&garbled), Tail::Torn(end), "byte {at} of the last batch");
            garbled.extend(whole(4, b"four"));
            assert_eq!(tail(&garbled), Tail::Damaged(end), "byte {at} of the batch before the last");
        }
    }
}
