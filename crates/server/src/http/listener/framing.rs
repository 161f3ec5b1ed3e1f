//! Watches the raw bytes of an HTTP/1 connection and notes where heads begin and end and how each frames its body.
//!
//! Two things are learned that hyper does not tell. *Is a head half received?* That drives the header timeout without
//! cutting idle keep-alive connections. *Did the head carry both `Content-Length` and `Transfer-Encoding`?* hyper
//! removes the former and carries on (RFC 9112 §6.1 allows it); we refuse, because a proxy in front may have read the
//! other one. The scanner never decides what a request is: hyper parses, and a chunked request is let through
//! only if the scanner saw that very head, plainly chunked. Whenever the two could differ, the request is refused.
//!
//! A chunked body is not followed; the connection ends after the answer to it. What is spent on a plain request
//! is one pass over its head.

/// The first bytes of every HTTP/2 connection (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is kept of one line: enough for `transfer-encoding:` or for `content-length:` with any honest value.
const LINE_BYTES: usize = 64;

/// Follows one connection from its first byte.
#[derive(Debug)]
pub(super) struct HeadScanner {
    preface: Preface,
    line: Line,
    in_head: bool,
    body_left: u64,
    content_length: Option<u64>,
    chunked: bool,
    heads: u64,
    end: Option<End>,
}

#[derive(Debug)]
enum Preface {
    Matching(usize),
    Absent,
    Present,
}

/// Why the scanner stopped following.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Head number `n` (from 1) announces a chunked body and no length.
    PlainlyChunked(u64),
    /// Two framings, two lengths, or a length that is no number.
    Contradictory,
}

#[derive(Debug)]
struct Line {
    kept: [u8; LINE_BYTES],
    len: usize,
}

impl HeadScanner {
    /// A scanner before the first byte.
    pub(super) fn new() -> Self {
        Self {
            preface: Preface::Matching(0),
            line: Line { kept: [0; LINE_BYTES], len: 0 },
            in_head: false,
            body_left: 0,
            content_length: None,
            chunked: false,
            heads: 0,
            end: None,
        }
    }

    /// The connection speaks HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.preface, Preface::Present)
    }

    /// A head has begun and is not complete.
    pub(super) fn head_open(&self) -> bool {
        self.end.is_none() && !self.is_http2() && (self.in_head || self.line.len > 0)
    }

    /// Head number `nth` (from 1) was seen with `Transfer-Encoding` and without `Content-Length`.
    pub(super) fn plainly_chunked(&self, nth: u64) -> bool {
        self.end == Some(End::PlainlyChunked(nth))
    }

    /// Takes the next bytes from the client, in order, each once.
    pub(super) fn scan(&mut self, mut bytes: &[u8]) {
        self.match_preface(bytes);
        while !bytes.is_empty() && self.end.is_none() && !self.is_http2() {
            if self.body_left > 0 {
                let skipped = usize::try_from(self.body_left).unwrap_or(usize::MAX).min(bytes.len());
                self.body_left -= skipped as u64;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else {
                self.line.push(bytes);
                return;
            };
            self.line.push(bytes.get(..at).unwrap_or_default());
            bytes = bytes.get(at + 1..).unwrap_or_default();
            self.end_line();
        }
    }

    fn match_preface(&mut self, bytes: &[u8]) {
        let Preface::Matching(at) = self.preface else { return };
        let rest = PREFACE.get(at..).unwrap_or_default();
        let common = rest.len().min(bytes.len());
        self.preface = if rest.get(..common) != bytes.get(..common) {
            Preface::Absent
        } else if common == rest.len() {
            Preface::Present
        } else {
            Preface::Matching(at + common)
        };
    }

    fn end_line(&mut self) {
        let line = self.line.text();
        if line.is_empty() {
            // hyper, too, skips empty lines before a request line (RFC 9112 §2.2).
            if self.in_head {
                self.end_head();
            }
        } else if !self.in_head {
            self.in_head = true;
        } else if let Some(value) = field(line, b"content-length") {
            let length = self.line.whole().then(|| parse_length(value)).flatten();
            match (length, self.content_length) {
                (Some(length), None) => self.content_length = Some(length),
                (Some(length), Some(before)) if length == before => {}
                _ => self.end = Some(End::Contradictory),
            }
        } else if field(line, b"transfer-encoding").is_some() {
            self.chunked = true;
        }
        self.line.len = 0;
    }

    fn end_head(&mut self) {
        self.heads += 1;
        self.in_head = false;
        match (self.content_length.take(), self.chunked) {
            (length, false) => self.body_left = length.unwrap_or(0),
            (None, true) => self.end = Some(End::PlainlyChunked(self.heads)),
            (Some(_), true) => self.end = Some(End::Contradictory),
        }
    }
}

impl Line {
    fn push(&mut self, bytes: &[u8]) {
        let free = self.kept.get_mut(self.len.min(LINE_BYTES)..).unwrap_or_default();
        for (slot, byte) in free.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        self.len = self.len.saturating_add(bytes.len());
    }

    fn whole(&self) -> bool {
        self.len <= LINE_BYTES
    }

    fn text(&self) -> &[u8] {
        let kept = self.kept.get(..self.len.min(LINE_BYTES)).unwrap_or_default();
        if self.whole() { kept.strip_suffix(b"\r").unwrap_or(kept) } else { kept }
    }
}

/// The value if the line is the field of this (lower-case) name. White space before the colon is no name to hyper either.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(name.len())?;
    if head.eq_ignore_ascii_case(name) { rest.strip_prefix(b":") } else { None }
}

fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the bytes whole, then byte by byte: the outcome may not depend on how they arrive.
    fn scanned(bytes: &[u8]) -> HeadScanner {
        let mut whole = HeadScanner::new();
        whole.scan(bytes);
        let mut single = HeadScanner::new();
        for byte in bytes {
            single.scan(std::slice::from_ref(byte));
        }
        assert_eq!(whole.is_http2(), single.is_http2());
        if !whole.is_http2() {
            assert_eq!(
                (whole.heads, whole.end, whole.head_open(), whole.body_left),
                (single.heads, single.end, single.head_open(), single.body_left),
            );
        }
        whole
    }

    #[test]
    fn bodies_are_skipped_and_heads_counted() {
        let scanner =
            scanned(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nA\r\n\r\nB\r\n\r\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        assert_eq!((scanner.heads, scanner.head_open()), (2, false));
        assert!(scanned(b"POST / HTTP/1.1\r\ncontent-length:4\r\n\r\nabcdG").head_open());
        assert!(!scanned(b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nabc").head_open());
        assert!(!scanned(b"\r\n\r\n").head_open());
    }

    #[test]
    fn the_framing_of_a_head_is_told_apart() {
        let plain = scanned(b"GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\nTRANSFER-encoding:chunked\n\n0\r\n\r\n");
        assert!(plain.plainly_chunked(2) && !plain.plainly_chunked(1));
        for both in [
            &b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: y\r\ncontent-LENGTH:0\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length:                                                       5\r\n\r\n",
        ] {
            assert_eq!(scanned(both).end, Some(End::Contradictory), "{}", both.escape_ascii());
        }
    }

    #[test]
    fn the_preface_of_http2_is_recognised_only_whole() {
        assert!(scanned(PREFACE).is_http2());
        assert!(!scanned(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX").is_http2());
        assert!(!scanned(b"PRI * HTTP/2.0\r\n").is_http2());
        assert!(!scanned(b"GET / HTTP/1.1\r\n\r\n").is_http2());
    }
}
