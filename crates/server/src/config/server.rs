//! The bounds of the transport, `[server]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Reader;
use crate::http::listener::ServerLimits;

/// A wait that a client can cause: long enough to work, short enough to end.
const WAIT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
/// A wait that may be none.
const WAIT_OR_NONE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);
/// The API's bodies are small; a bound on what one connection can make the server hold.
const BODY_BYTES: RangeInclusive<usize> = 1024..=1024 * 1024;
const HEAD_BYTES: RangeInclusive<usize> = 1024..=256 * 1024;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<ServerLimits> {
    let max_connections = reader.number("server.max_connections", &(1..=1_000_000));
    let header_timeout = reader.duration("server.header_timeout", &WAIT);
    let max_head_bytes = reader.number("server.max_head_bytes", &HEAD_BYTES);
    let max_headers = reader.number("server.max_headers", &(10..=1000));
    let max_uri_bytes = reader.number("server.max_uri_bytes", &(256..=64 * 1024));
    let keep_alive_idle = reader.duration("server.keep_alive_idle", &WAIT);
    let max_body_bytes = reader.number("server.max_body_bytes", &BODY_BYTES);
    let body_timeout = reader.duration("server.body_timeout", &WAIT);
    let write_stall = reader.duration("server.write_stall", &WAIT);
    let handshake_timeout = reader.duration("server.handshake_timeout", &WAIT);
    let max_streams = reader.number("server.max_streams", &(1..=10_000));
    let max_stream_resets = reader.number("server.max_stream_resets", &(1..=100_000));
    let lame_duck = reader.duration("server.lame_duck", &WAIT_OR_NONE);
    let drain_limit = reader.duration("server.drain_limit", &WAIT);
    let linger = reader.duration("server.linger", &WAIT_OR_NONE);
    let certificate_check = reader.duration("server.certificate_check", &WAIT);
    Some(ServerLimits {
        max_connections: max_connections?,
        header_timeout: header_timeout?,
        max_head_bytes: max_head_bytes?,
        max_headers: max_headers?,
        max_uri_bytes: max_uri_bytes?,
        keep_alive_idle: keep_alive_idle?,
        max_body_bytes: max_body_bytes?,
        body_timeout: body_timeout?,
        write_stall: write_stall?,
        handshake_timeout: handshake_timeout?,
        max_streams: max_streams?,
        max_stream_resets: max_stream_resets?,
        lame_duck: lame_duck?,
        drain_limit: drain_limit?,
        linger: linger?,
        certificate_check: certificate_check?,
    })
}
