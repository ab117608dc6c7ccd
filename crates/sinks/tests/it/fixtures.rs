//! A client, a webhook and a parcel to begin with.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use easel_sinks::{Endpoint, Parcel, Webhook, WebhookClient, WebhookOptions};
use easel_testkit::event;
use jiff::Timestamp;
use uuid::Uuid;

/// A client for which it is always 2025-03-03T08:00:00Z.
pub(crate) fn client(options: &WebhookOptions) -> WebhookClient {
    WebhookClient::new(options, Arc::new(|| Timestamp::constant(1_740_988_800, 0))).unwrap()
}

/// The longest an attempt may take where the test is not about that.
pub(crate) const PATIENT: Duration = Duration::from_secs(15);

pub(crate) fn webhook(url: &str) -> Webhook {
    webhook_within(url, PATIENT)
}

/// A webhook that gives up almost at once.
pub(crate) fn hasty_webhook(url: &str) -> Webhook {
    webhook_within(url, Duration::from_millis(200))
}

fn webhook_within(url: &str, timeout: Duration) -> Webhook {
    let client = client(&WebhookOptions::default());
    Webhook::new(client, Endpoint::parse(url).unwrap(), timeout)
}

pub(crate) fn parcel() -> Parcel {
    parcel_with(event("course_created", 1))
}

/// A parcel that goes out in one write.
pub(crate) fn short_parcel() -> Parcel {
    parcel_with(Bytes::from_static(b"{}"))
}

pub(crate) fn parcel_with(body: Bytes) -> Parcel {
    Parcel {
        id: Uuid::from_u128(0x0f0f_1e1e_2d2d_4c4c_8b8b_5a5a_6969_7878),
        event_name: Arc::from("course_created"),
        event_time: String::from("2025-03-03T08:00:00.001Z"),
        subscription: Arc::from("data-team"),
        attempt: NonZeroU32::new(3).unwrap(),
        mapper_version: None,
        body,
    }
}
