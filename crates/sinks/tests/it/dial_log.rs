//! Which addresses the HTTP client connects to, and which warnings are logged.
//!
//! The HTTP client logs every address before it connects. So this log also sees connections that leave the
//! machine, which no listener of a test could see.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The events of this thread, until the log is dropped.
pub(crate) struct DialLog {
    lines: Lines,
    _default: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

impl DialLog {
    /// Starts to record.
    pub(crate) fn start() -> Self {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        Self {
            lines,
            _default: tracing::subscriber::set_default(subscriber),
        }
    }

    /// Returns the addresses that the HTTP client connected to, in order.
    pub(crate) fn dialled(&self) -> Vec<String> {
        let lines = self.lines.0.lock().unwrap();
        let address = |(_level, line): &(Level, String)| {
            let address = line.strip_prefix("message=connecting to ")?;
            Some(address.trim_end().to_owned())
        };
        lines.iter().filter_map(address).collect()
    }

    /// Returns the warnings.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let lines = self.lines.0.lock().unwrap();
        let warnings = lines.iter().filter(|(level, _line)| *level == Level::WARN);
        warnings.map(|(_level, line)| line.clone()).collect()
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let level = *event.metadata().level();
        self.0.lock().unwrap().push((level, line.0));
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}
