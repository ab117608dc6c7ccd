//! The envelope that Caliper events are sent in.

use jiff::Timestamp;

use crate::translator::{CONTEXT, CaliperEvent};
use crate::value::write_time;
use easel_catalog::JsonWriter;

impl CaliperEvent {
    /// Returns the address of the installation that the event comes from, as JSON.
    pub fn sensor(&self) -> &[u8] {
        self.json.get(self.sensor.clone()).unwrap_or_default()
    }

    /// Returns an envelope with only this event, sent at `send_time`.
    pub fn envelope(&self, send_time: Timestamp) -> Vec<u8> {
        envelope(&[self], send_time)
    }
}

/// Returns an envelope with these events, sent at `send_time`.
///
/// An envelope has only one sensor, so all events must have the same sensor.
pub fn envelope(events: &[&CaliperEvent], send_time: Timestamp) -> Vec<u8> {
    let length: usize = events.iter().map(|event| event.json.len() + 1).sum();
    let mut out = JsonWriter::with_capacity(length + 256);
    out.raw(b"{\"sensor\":");
    out.raw(events.first().map_or(b"\"\"", |event| event.sensor()));
    out.raw(b",\"sendTime\":");
    write_time(send_time, &mut out);
    out.raw(b",\"dataVersion\":\"");
    out.raw(CONTEXT.as_bytes());
    out.raw(b"\",\"data\":[");
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            out.raw(b",");
        }
        out.raw(&event.json);
    }
    out.raw(b"]}");
    out.into_bytes()
}
