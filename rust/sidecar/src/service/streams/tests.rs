//! Laws of counting, folding and committing report streams.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

fn durable(stream: &ClientStream) -> Durability {
    *stream.durable.borrow()
}

/// Records the next report of a stream.
fn arrive(streams: &Streams, stream: &ClientStream, seq: u64) {
    let arrival = streams.arrive(stream, seq, || Ok::<_, Infallible>(()));
    assert_eq!(arrival, Ok(Arrival::Recorded(())));
}

/// Folds into one frame and returns the number of marks.
fn fold(streams: &Streams, seq: u64) -> usize {
    let ((), marks) = streams.fold(|| ());
    let count = marks.len();
    streams.pend(seq..=seq, marks);
    count
}

#[test]
fn a_fold_is_durable_when_its_last_frame_is() {
    let streams = Streams::new(10);
    let stream = streams.open("a", 1).unwrap();
    arrive(&streams, &stream, 1);
    let ((), marks) = streams.fold(|| ());
    streams.pend(1..=3, marks);
    streams.committed(2);
    assert_eq!(durable(&stream), Durability::Through(0));
    streams.committed(3);
    assert_eq!(durable(&stream), Durability::Through(1));
}

#[test]
fn reports_count_once_and_in_order() {
    let streams = Streams::new(10);
    let stream = streams.open("a", 1).unwrap();
    let mut recorded = Vec::new();
    let mut arrive = |seq| {
        let record = || -> Result<(), Infallible> {
            recorded.push(seq);
            Ok(())
        };
        streams.arrive(&stream, seq, record).unwrap()
    };
    assert_eq!(arrive(1), Arrival::Recorded(()));
    assert_eq!(arrive(1), Arrival::Repeated);
    assert_eq!(arrive(3), Arrival::Gap { expected: 2 });
    assert_eq!(arrive(2), Arrival::Recorded(()));
    assert_eq!(recorded, [1, 2]);
}

#[test]
fn a_report_that_was_not_recorded_has_not_arrived() {
    let streams = Streams::new(10);
    let stream = streams.open("a", 1).unwrap();
    let full = streams.arrive(&stream, 1, || Err::<(), _>("full"));
    assert_eq!(full, Err("full"));
    arrive(&streams, &stream, 1);
}

#[test]
fn a_new_stream_goes_on_where_the_client_says() {
    let streams = Streams::new(10);
    let stream = streams.open("a", 41).unwrap();
    assert_eq!(stream.accepted_through(), 40);
    assert_eq!(durable(&stream), Durability::Through(40));
    arrive(&streams, &stream, 41);
    assert_eq!(streams.open("a", 1).unwrap().accepted_through(), 41);
}

proptest! {
    /// Steps: 0 reports, 1 folds, 2 commits everything folded.
    #[test]
    fn durable_is_what_committed_frames_hold(steps in prop::collection::vec(0..3_u8, 1..60)) {
        let streams = Streams::new(10);
        let stream = streams.open("a", 1).unwrap();
        let (mut open, mut folded, mut committed, mut seq) = (0, 0, 0, 0);
        for step in steps {
            match step {
                0 => {
                    open += 1;
                    arrive(&streams, &stream, open);
                }
                1 => {
                    seq += 1;
                    let marks = fold(&streams, seq);
                    prop_assert_eq!(marks, usize::from(open > folded));
                    folded = open;
                }
                _ => {
                    streams.committed(seq);
                    committed = folded;
                }
            }
            prop_assert_eq!(durable(&stream), Durability::Through(committed));
        }
    }
}

#[test]
fn a_dropped_frame_never_looks_durable() {
    let streams = Streams::new(10);
    let hurt = streams.open("hurt", 1).unwrap();
    let sound = streams.open("sound", 1).unwrap();
    arrive(&streams, &hurt, 1);
    fold(&streams, 1);
    arrive(&streams, &hurt, 2);
    arrive(&streams, &sound, 1);
    fold(&streams, 2);
    streams.dropped(1);
    streams.committed(2);
    assert_eq!(durable(&hurt), Durability::Lost);
    assert_eq!(durable(&sound), Durability::Through(1));
    assert_eq!(streams.open("hurt", 1).unwrap().accepted_through(), 0);
}

#[test]
fn only_idle_streams_make_room() {
    let streams = Streams::new(2);
    let held = streams.open("held", 1).unwrap();
    let waiting = streams.open("waiting", 1).unwrap();
    arrive(&streams, &waiting, 1);
    drop(waiting);
    assert_eq!(streams.open("new", 1).unwrap_err(), TooManyStreams(2));
    fold(&streams, 1);
    streams.committed(1);
    assert!(streams.open("new", 1).is_ok());
    assert_eq!(streams.len(), 2);
    drop(held);
}

#[test]
fn a_fold_takes_exactly_what_it_claims() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let streams = Streams::new(10);
    let stream = streams.open("a", 1).unwrap();
    let recorded = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seq in 1..=20_000 {
                let record =
                    || -> Result<u64, Infallible> { Ok(recorded.fetch_add(1, Ordering::Relaxed)) };
                streams.arrive(&stream, seq, record).unwrap();
            }
        });
        let mut taken = 0;
        while taken < 20_000 {
            let (count, marks) = streams.fold(|| recorded.swap(0, Ordering::Relaxed));
            taken += count;
            assert!(marks.iter().all(|mark| mark.through == taken));
        }
    });
}
