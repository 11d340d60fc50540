//! Timelines with places that only other servers' history takes: inside gaps, and before the beginning.

use banyan_core::{SystemClock, TimestampMicros};
use banyan_log::DerivedRow;
use banyan_proto::rooms::{GapRow, TimelineRow};
use banyan_store::{TableStore, WriteBatch, memory::MemoryStore};
use ruma::room_id;

use super::*;
use crate::tables::{TABLES, gap, timeline};

const ROOM: &str = "!r:x";

async fn write(store: &MemoryStore, row: DerivedRow) {
    let DerivedRow { table, partition, write } = row;
    store.write(WriteBatch { table, partition, writes: vec![write], at: TimestampMicros(1) }).await.unwrap();
}

/// A room with arrivals -600 to 1,200, gaps before two of them, one of which was filled.
async fn reader() -> (RoomReader, Vec<RoomPlace>) {
    let store = MemoryStore::new(TABLES, Arc::new(SystemClock::default()), 1).unwrap();
    let mut places: Vec<RoomPlace> = (-600..1_200).step_by(3).map(RoomPlace::arrival).collect();
    places.extend((1..=70).map(|k| RoomPlace::new(600, -k)));
    places.sort_unstable();
    for place in &places {
        let row = TimelineRow { event_id: format!("${place}"), soft_failed: place.arrival == 9, ..TimelineRow::default() };
        write(&store, timeline::put(ROOM, *place, &row)).await;
    }
    for place in [RoomPlace::arrival(300), RoomPlace::new(600, -70)] {
        write(&store, gap::change(ROOM, place, Some(&GapRow::default()))).await;
    }
    let head = RoomHead { next_arrival: 1_200, first_arrival: -600, ..RoomHead::default() };
    write(&store, room_head::put(ROOM, &head)).await;
    places.retain(|place| place.arrival != 9);
    (RoomReader::new(Arc::new(store), 1 << 20), places)
}

async fn walk(reader: &RoomReader, direction: Direction, limit: usize) -> (Vec<RoomPlace>, Vec<RoomPlace>) {
    let mut from = if direction == Direction::Backward { RoomPlace::END } else { RoomPlace::START };
    let (mut places, mut gaps) = (Vec::new(), Vec::new());
    loop {
        let query = TimelineQuery { from, to: None, direction, limit };
        let page = reader.timeline(room_id!("!r:x"), query).await.unwrap();
        assert!(page.events.len() <= limit);
        gaps.extend(page.events.iter().filter(|event| event.gap_before).filter_map(|event| event.place));
        assert_eq!(page.gap.is_some(), page.events.iter().any(|event| event.gap_before));
        places.extend(page.events.iter().filter_map(|event| event.place));
        match page.next {
            Some(next) => from = next,
            None => return (places, gaps),
        }
    }
}

#[tokio::test]
async fn pages_of_any_size_are_the_whole_timeline_in_order() {
    let (reader, expected) = reader().await;
    for limit in [1, 7, 50, 1_000] {
        let (forward, gaps) = walk(&reader, Direction::Forward, limit).await;
        assert_eq!(forward, expected, "{limit}");
        assert_eq!(gaps, [RoomPlace::arrival(300), RoomPlace::new(600, -70)]);
        let (mut backward, gaps) = walk(&reader, Direction::Backward, limit).await;
        backward.reverse();
        assert_eq!(backward, expected, "{limit}");
        assert_eq!(gaps, [RoomPlace::new(600, -70), RoomPlace::arrival(300)]);
    }
}

#[tokio::test]
async fn bounds_are_the_points_just_after_their_places() {
    let (reader, _) = reader().await;
    let page = |from, to, direction| {
        let reader = reader.clone();
        async move {
            let query = TimelineQuery { from, to, direction, limit: 100 };
            let page = reader.timeline(room_id!("!r:x"), query).await.unwrap();
            page.events.iter().filter_map(|event| event.place).map(|place| place.arrival).collect::<Vec<_>>()
        }
    };
    let at = RoomPlace::arrival;
    assert_eq!(page(at(6), Some(at(-3)), Direction::Backward).await, [6, 3, 0]);
    assert_eq!(page(at(6).before(), Some(at(-3)), Direction::Backward).await, [3, 0]);
    assert_eq!(page(at(0), Some(at(12)), Direction::Forward).await, [3, 6, 12]);
    assert_eq!(page(at(0).before(), Some(at(3)), Direction::Forward).await, [0, 3]);
    assert!(page(at(12), Some(at(12)), Direction::Forward).await.is_empty());
}
