//! What Caliper events are sent in.

use jiff::Timestamp;

use crate::json_writer::JsonWriter;
use crate::translator::{CONTEXT, CaliperEvent};
use crate::value::write_time;

impl CaliperEvent {
    /// The address of the installation that the event is from, as JSON.
    pub fn sensor(&self) -> &[u8] {
        self.json.get(self.sensor.clone()).unwrap_or_default()
    }

    /// The event in an envelope of its own, sent at `send_time`.
    pub fn envelope(&self, send_time: Timestamp) -> Vec<u8> {
        envelope(&[self], send_time)
    }
}

/// An envelope with these events, sent at `send_time`.
///
/// It names one sensor, that of the first; whoever puts several into one asks that they be of the
/// same.
pub fn envelope(events: &[&CaliperEvent], send_time: Timestamp) -> Vec<u8> {
    let length: usize = events.iter().map(|it| it.json.len() + 1).sum();
    let mut out = JsonWriter::with_capacity(length + 256);
    out.raw(b"{\"sensor\":");
    out.raw(events.first().map_or(b"\"\"", |it| it.sensor()));
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
