//! A sample batch for tests.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use easel_log::Offset;
use easel_sinks::{Batch, Form, Item};
use jiff::Timestamp;
use uuid::Uuid;

/// Returns a batch of one event with the body `body`: attempt 3, for the subscription `data-team`.
pub fn batch(body: impl Into<Bytes>) -> Batch {
    Batch {
        subscription: Arc::from("data-team"),
        attempt: NonZeroU32::MIN.saturating_add(2),
        replay: None,
        keys: Vec::new(),
        items: vec![Arc::new(Item {
            offset: Offset::new(41),
            id: Uuid::from_u128(0x0f0f_1e1e_2d2d_4c4c_8b8b_5a5a_6969_7878),
            event_type: Arc::from("course_created"),
            occurred_at: Timestamp::constant(1_740_988_800, 1_000_000),
            appended_at: None,
            event_time: String::from("2025-03-03T08:00:00.001Z"),
            form: Form::Canvas(body.into()),
            jwt: None,
        })],
    }
}
