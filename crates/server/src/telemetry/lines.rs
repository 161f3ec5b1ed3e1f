//! Writes events as lines: one buffer a thread, one write a line.
//!
//! The usual formatting layer took a fifth of the time of a whole request, most of it for spans, and we have none: what belongs to
//! a request names it by the task it runs in (`request_log`). Control characters are escaped, so that no value can forge a line
//! or paint a terminal.

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use verifyd_core::clock::{Clock, SystemClock};

use super::LogFormat;
use crate::http::format::rfc3339;
use crate::http::request_log::current_request;

/// A buffer keeps at most this capacity between lines.
const KEPT_BYTES: usize = 16 * 1024;

thread_local! {
    static LINE: RefCell<Buffers> = RefCell::default();
}

#[derive(Default)]
struct Buffers {
    line: String,
    value: String,
}

/// The layer that writes.
pub(super) struct Lines<W> {
    pub(super) format: LogFormat,
    pub(super) ansi: bool,
    pub(super) writer: W,
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        // A value that logs while it is written gets buffers of its own.
        LINE.with(|buffers| match buffers.try_borrow_mut() {
            Ok(mut buffers) => self.write(event, &mut buffers),
            Err(_in_use) => self.write(event, &mut Buffers::default()),
        });
    }
}

impl<W: for<'w> MakeWriter<'w>> Lines<W> {
    fn write(&self, event: &Event<'_>, buffers: &mut Buffers) {
        let Buffers { line, value } = buffers;
        line.clear();
        let at = rfc3339(SystemClock.now());
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        match self.format {
            LogFormat::Human => human_head(line, at.as_str(), level, target, self.ansi),
            LogFormat::Json => json_head(line, at.as_str(), level, target),
        }
        let mut fields = Fields { line, value, format: self.format };
        event.record(&mut fields);
        if let Some(request) = current_request() {
            fields.text("request", &request);
        }
        line.push_str(if self.format == LogFormat::Json { "}\n" } else { "\n" });
        // There is nobody to tell that a line could not be written.
        drop(self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes()));
        line.shrink_to(KEPT_BYTES);
        value.shrink_to(KEPT_BYTES);
    }
}

fn human_head(line: &mut String, at: &str, level: Level, target: &str, ansi: bool) {
    if !ansi {
        for part in [at, if level.as_str().len() < 5 { "  " } else { " " }, level.as_str(), " ", target, ":"] {
            line.push_str(part);
        }
        return;
    }
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    push(line, format_args!("\x1b[2m{at}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m \x1b[2m{target}:\x1b[0m"));
}

fn json_head(line: &mut String, at: &str, level: Level, target: &str) {
    for part in ["{\"timestamp\":\"", at, "\",\"level\":\"", level.as_str(), "\",\"target\":\"", target, "\""] {
        line.push_str(part);
    }
}

fn push(line: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string fails only if a value's own formatting does; what came before stands.
    let _written = line.write_fmt(text);
}

struct Fields<'a> {
    line: &'a mut String,
    value: &'a mut String,
    format: LogFormat,
}

impl Fields<'_> {
    fn name(&mut self, name: &str) {
        match self.format {
            // The message has no name for people.
            LogFormat::Human if name == "message" => self.line.push(' '),
            LogFormat::Human => self.parts([" ", name, "="]),
            LogFormat::Json => self.parts([",\"", name, "\":"]),
        }
    }

    /// The formatting machinery costs several times as much, and this is done ten times a line.
    fn parts(&mut self, parts: [&str; 3]) {
        for part in parts {
            self.line.push_str(part);
        }
    }

    fn plain(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        self.name(name);
        push(self.line, value);
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        match self.format {
            LogFormat::Human => human_value(self.line, value, name == "message"),
            LogFormat::Json => json_string(self.line, value),
        }
    }
}

/// A value as it is if it is one plain word (or the message), else in quotes.
fn human_value(line: &mut String, value: &str, message: bool) {
    let word = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if word {
        line.push_str(value);
    } else if message {
        for c in value.chars() {
            if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
        }
    } else {
        push(line, format_args!("{value:?}"));
    }
}

fn json_string(line: &mut String, value: &str) {
    line.push('"');
    for c in value.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            c if c.is_control() => push(line, format_args!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line.push('"');
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = std::mem::take(self.value);
        text.clear();
        push(&mut text, format_args!("{value:?}"));
        self.text(field.name(), &text);
        *self.value = text;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field.name(), format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field.name(), format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name(), format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for what is not finite.
        if value.is_finite() {
            self.plain(field.name(), format_args!("{value}"));
        } else {
            self.text(field.name(), &value.to_string());
        }
    }
}
