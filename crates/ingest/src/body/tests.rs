//! Bodies within and above the limits, uncompressed and compressed.

use std::convert::Infallible;

use async_compression::Level;
use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use async_compression::zstd::CParameter;
use bytes::Bytes;
use futures::stream;
use proptest::prelude::*;
use tokio::time::Instant;

use super::*;

const MAX_WAIT: Duration = Duration::from_secs(5);

async fn compress(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    match coding {
        Coding::Identity => compressed.extend(bytes),
        Coding::Gzip => {
            GzipEncoder::new(bytes)
                .read_to_end(&mut compressed)
                .await
                .unwrap();
        }
        Coding::Zstd => {
            ZstdEncoder::new(bytes)
                .read_to_end(&mut compressed)
                .await
                .unwrap();
        }
    }
    compressed
}

/// Returns a body of unknown size that arrives in pieces.
fn in_pieces(bytes: &[u8], piece: usize) -> Body {
    let pieces: Vec<_> = bytes
        .chunks(piece)
        .map(|piece| Ok::<_, Infallible>(piece.to_vec()))
        .collect();
    Body::from_stream(stream::iter(pieces))
}

async fn read_all(body: Body, coding: Coding, max: usize) -> Result<BufferedBody, BodyError> {
    let budget = Budget::new(max + MAX_DECODER_BYTES + 2, 0);
    read(body, coding, max, &budget, MAX_WAIT).await
}

#[tokio::test]
async fn a_decompression_bomb_is_not_inflated_past_the_limit() {
    let zeros = vec![0; 64 * 1024 * 1024];
    for coding in [Coding::Gzip, Coding::Zstd] {
        let bomb = compress(coding, &zeros).await;
        assert!(bomb.len() < 100_000, "the compressed body is small");
        let error = read_all(bomb.into(), coding, 1024 * 1024)
            .await
            .unwrap_err();
        assert!(
            matches!(error, BodyError::TooLarge { max: 1_048_576 }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_truncated_compressed_body_is_rejected() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let mut cut = compress(coding, b"an event, an event, an event").await;
        cut.truncate(cut.len() - 3);
        let error = read_all(cut.into(), coding, 1024).await.unwrap_err();
        assert!(matches!(error, BodyError::Broken { .. }), "{error}");
    }
}

#[tokio::test]
async fn concatenated_compressed_bodies_are_one_body() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let mut both = compress(coding, b"one ").await;
        both.extend(compress(coding, b"two").await);
        assert_eq!(
            read_all(both.into(), coding, 1024).await.unwrap().bytes,
            b"one two"[..]
        );
    }
}

#[tokio::test]
async fn a_zstd_window_wider_than_http_allows_is_rejected() {
    let params = [CParameter::window_log(27)];
    let zeros = vec![0; 32 * 1024 * 1024];
    let mut wide = Vec::new();
    let mut encoder = ZstdEncoder::with_quality_and_params(&zeros[..], Level::Fastest, &params);
    encoder.read_to_end(&mut wide).await.unwrap();
    let error = read_all(wide.into(), Coding::Zstd, 64 * 1024 * 1024)
        .await
        .unwrap_err();
    assert!(matches!(error, BodyError::Broken { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn reading_fails_if_the_sender_pauses_for_too_long() {
    let start = Instant::now();
    let silent = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let error = read_all(silent, Coding::Identity, 1024).await.unwrap_err();
    assert!(matches!(error, BodyError::Stalled), "{error}");
    assert_eq!(start.elapsed(), MAX_WAIT);
}

#[tokio::test]
async fn a_body_with_a_declared_size_above_the_limit_is_not_read() {
    let budget = Budget::new(0, 0);
    let body = Body::from(vec![0; 1025]);
    let error = read(body, Coding::Identity, 1024, &budget, MAX_WAIT)
        .await
        .unwrap_err();
    assert!(
        matches!(error, BodyError::TooLarge { max: 1024 }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_without_a_size_limit_needs_room_while_it_grows() {
    let budget = Budget::new(1024 * 1024, 0);
    let body = in_pieces(&vec![0; 2 * 1024 * 1024], 64 * 1024);
    let error = read(body, Coding::Identity, usize::MAX - 1, &budget, MAX_WAIT)
        .await
        .unwrap_err();
    assert!(matches!(error, BodyError::NoRoom { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn bodies_of_unknown_size_that_need_more_room_than_there_is_are_all_read() {
    const MIB: usize = 1024 * 1024;
    let budget = Budget::new(4 * MIB, 4 * MIB);
    let bodies = (0..16).map(|_| in_pieces(&vec![7; 3 * MIB], 64 * 1024));
    let reading = bodies.map(|body| read(body, Coding::Identity, 3 * MIB, &budget, MAX_WAIT));
    let reading = reading.map(async |reading| reading.await.map(|buffered| buffered.bytes.len()));
    for length in futures::future::join_all(reading).await {
        assert_eq!(length.unwrap(), 3 * MIB);
    }
}

/// Drains a body that needs more than `room` bytes of room, and returns its bytes.
async fn drain(body: Body, max: usize, room: usize) -> Result<Vec<u8>, BodyError> {
    let BodyError::NoRoom { unread } =
        read(body, Coding::Identity, max, &Budget::new(room, 0), MAX_WAIT)
            .await
            .unwrap_err()
    else {
        panic!("there was room")
    };
    let mut drained = Vec::new();
    unread.drain(|chunk| drained.extend(chunk)).await?;
    Ok(drained)
}

#[tokio::test(start_paused = true)]
async fn a_body_without_room_is_drained_completely() {
    let bytes: Vec<u8> = (0..=250).cycle().take(200_000).collect();
    for room in [0, 50_000] {
        for body in [Body::from(bytes.clone()), in_pieces(&bytes, 7_000)] {
            assert!(drain(body, 200_000, room).await.unwrap() == bytes, "{room}");
        }
        let error = drain(in_pieces(&bytes, 7_000), 199_999, room)
            .await
            .unwrap_err();
        assert!(
            matches!(error, BodyError::TooLarge { max: 199_999 }),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn draining_fails_if_the_sender_pauses_for_too_long() {
    let start = Instant::now();
    let silent = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let error = drain(silent, 1024, 0).await.unwrap_err();
    assert!(matches!(error, BodyError::Stalled), "{error}");
    assert_eq!(start.elapsed(), 2 * MAX_WAIT);
}

#[tokio::test]
async fn the_room_of_the_decoder_is_given_back() {
    let body = compress(Coding::Zstd, b"small").await;
    let buffered = read_all(body.into(), Coding::Zstd, 1024).await.unwrap();
    assert!(buffered.room.bytes() < MAX_DECODER_BYTES / 100);
}

#[test]
fn codings_are_known_by_their_names() {
    let coding = |text: &str| {
        Coding::from_headers(&HeaderMap::from_iter([(
            CONTENT_ENCODING,
            text.parse().unwrap(),
        )]))
    };
    assert_eq!(
        Coding::from_headers(&HeaderMap::new()),
        Some(Coding::Identity)
    );
    assert_eq!(coding("identity"), Some(Coding::Identity));
    assert_eq!(coding("GZip"), Some(Coding::Gzip));
    assert_eq!(coding("zstd"), Some(Coding::Zstd));
    assert_eq!(coding("br"), None);
    assert_eq!(coding("gzip, gzip"), None);
}

fn coding() -> impl Strategy<Value = Coding> {
    prop::sample::select(vec![Coding::Identity, Coding::Gzip, Coding::Zstd])
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #[test]
    fn a_body_is_read_unchanged_or_is_too_large(
        byte: u8,
        len in 0_usize..100_000,
        max in 0_usize..100_000,
        piece in 1_usize..50_000,
        coding in coding(),
    ) {
        let bytes: Vec<u8> = (0..=250).cycle().map(|at: u8| byte.wrapping_mul(at)).take(len).collect();
        let read = run(async {
            read_all(in_pieces(&compress(coding, &bytes).await, piece), coding, max).await
        });
        match read {
            Ok(buffered) => {
                prop_assert!(buffered.bytes == bytes && len <= max);
                prop_assert!(buffered.room.bytes() >= buffered.bytes.capacity());
            }
            Err(error) => {
                prop_assert!(matches!(error, BodyError::TooLarge { .. }) && len > max, "{}", error);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_never_inflated_past_the_limit(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        flip in any::<prop::sample::Index>(),
        coding in coding(),
        max in 0_usize..3_000,
    ) {
        let mut compressed = run(compress(coding, &bytes));
        if !compressed.is_empty() {
            let at = flip.index(compressed.len());
            compressed[at] ^= 0x55;
        }
        for body in [compressed, bytes] {
            if let Ok(buffered) = run(read_all(body.into(), coding, max)) {
                prop_assert!(buffered.bytes.len() <= max);
            }
        }
    }
}
