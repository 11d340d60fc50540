//! Messages to devices (client-server specification, "Send-to-Device messaging"): their bounds, and which devices are meant.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use banyan_proto::users::{ToDeviceMessage, ToDeviceQueue, ToDeviceReceived};
use bytes::Bytes;

/// The largest content of a message, in bytes: as much as an event may have.
pub const MAX_CONTENT: usize = 64 * 1024;
/// The most that one request may bring one user, in bytes: what a log takes at once.
pub const MAX_PER_USER: usize = 700 * 1024;
/// The longest type of a message, in bytes.
pub const MAX_TYPE: usize = 255;
/// Messages that wait for a device at most. Where more come, the oldest go: a device that was away for so long needs the newest keys
/// most, and refusing would let one forgotten device spoil its owner's every conversation.
pub const MAX_WAITING: u64 = 10_000;
/// How long a message's id is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// Messages in one sync.
pub const PER_SYNC: usize = 100;
/// Bytes that one entry's messages may have, with room left for the rest of the entry.
const MAX_ENTRY: usize = 80 * 1024;

/// The id of a message for all who get it: 16 bytes of a hash over what makes a transaction (specification, "Transaction identifiers").
#[must_use]
pub fn message_id(sender: &str, device_id: &str, kind: &str, txn_id: &str) -> Bytes {
    let mut hasher = blake3::Hasher::new();
    for part in [sender, device_id, kind, txn_id] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    Bytes::copy_from_slice(&hasher.finalize().as_bytes()[..16])
}

/// Which of a user's devices get which content. `*` means every device that is not named by itself; devices that are not there get
/// nothing.
#[must_use]
pub fn resolve<'a>(messages: &BTreeMap<String, Bytes>, devices: impl Iterator<Item = &'a String>) -> Vec<(Bytes, Vec<String>)> {
    let mut resolved: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for device in devices {
        let name = if messages.contains_key(device) { device } else { "*" };
        resolved.entry(name).or_default().push(device.clone());
    }
    let content = |(name, devices): (&str, Vec<String>)| Some((messages.get(name)?.clone(), devices));
    resolved.into_iter().filter_map(content).collect()
}

/// The entries that bring messages: a device gets at most one, so that the entry's sequence is its place in the device's queue.
/// `queues` are the queues as they are before.
#[must_use]
pub fn entries(
    template: &ToDeviceReceived,
    resolved: Vec<(Bytes, Vec<String>)>,
    queues: &BTreeMap<String, ToDeviceQueue>,
) -> Vec<ToDeviceReceived> {
    let mut entries = vec![template.clone()];
    let mut size = 0;
    for (content, devices) in resolved {
        let mut open = false;
        for device_id in devices {
            // The id is there twice, and numbers.
            let cost = 2 * device_id.len() + 32;
            let whole = cost + if open { 0 } else { content.len() };
            if size > 0 && size + whole > MAX_ENTRY {
                entries.push(template.clone());
                (size, open) = (0, false);
            }
            let Some(entry) = entries.last_mut() else { continue };
            if !open {
                entry.messages.push(ToDeviceMessage { content: content.clone(), device_ids: Vec::new() });
                (size, open) = (size + content.len(), true);
            }
            size += cost;
            let known = queues.get(&device_id).cloned().unwrap_or_default();
            entry.queues.push(ToDeviceQueue { device_id: device_id.clone(), waiting: known.waiting + 1, ..known });
            if let Some(message) = entry.messages.last_mut() {
                message.device_ids.push(device_id);
            }
        }
    }
    entries.retain(|entry| !entry.messages.is_empty());
    entries
}

/// The devices that entries bring something.
#[must_use]
pub fn devices_of(received: &ToDeviceReceived) -> BTreeSet<&str> {
    received.messages.iter().flat_map(|message| message.device_ids.iter().map(String::as_str)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(list: &[(&str, &str)]) -> BTreeMap<String, Bytes> {
        list.iter().map(|(device, content)| ((*device).to_owned(), Bytes::copy_from_slice(content.as_bytes()))).collect()
    }

    #[test]
    fn a_star_means_the_devices_that_are_not_named() {
        let devices = ["A".to_owned(), "B".to_owned(), "C".to_owned()];
        let resolved = resolve(&messages(&[("B", "1"), ("*", "2"), ("Z", "3")]), devices.iter());
        let expected: Vec<(Bytes, Vec<String>)> =
            vec![("2".into(), vec!["A".to_owned(), "C".to_owned()]), ("1".into(), vec!["B".to_owned()])];
        assert_eq!(resolved, expected);
        assert!(resolve(&messages(&[("Z", "3")]), devices.iter()).is_empty());
    }

    #[test]
    fn parts_of_a_message_id_do_not_run_together() {
        let ids = [message_id("@a:x", "D", "m", "1"), message_id("@a:x", "Dm", "", "1"), message_id("@a:x", "D", "m", "2")];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[0].len() == 16);
        assert_eq!(ids[0], message_id("@a:x", "D", "m", "1"));
    }

    #[test]
    fn entries_stay_below_what_a_log_takes_and_bring_each_device_one_message() {
        use prost::Message as _;
        let large = "x".repeat(MAX_CONTENT);
        let devices: Vec<String> = (0..600).map(|n| format!("{n:0>250}")).collect();
        let resolved = vec![
            (Bytes::from(large.clone()), devices[..300].to_vec()),
            (Bytes::from(large), devices[300..301].to_vec()),
            (Bytes::from_static(b"{}"), devices[301..].to_vec()),
        ];
        let queues = BTreeMap::from([(devices[5].clone(), ToDeviceQueue { waiting: 7, acknowledged: 3, ..Default::default() })]);
        let entries = entries(&ToDeviceReceived { sender: "@a:x".to_owned(), ..Default::default() }, resolved, &queues);
        assert!(entries.iter().all(|entry| entry.encoded_len() < 90 * 1024));
        let mut got: Vec<&str> = entries.iter().flat_map(devices_of).collect();
        assert!(entries.iter().all(|entry| devices_of(entry).len() == entry.queues.len()));
        got.sort_unstable();
        assert_eq!(got, devices);
        let queue = entries.iter().flat_map(|entry| &entry.queues).find(|queue| queue.device_id == devices[5]).unwrap();
        assert_eq!((queue.waiting, queue.acknowledged), (8, 3));
    }
}
