//! A small HTTP/1.1 client on one kept connection: as little work of its own as will do, so that the server is measured.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Result;

/// A server that does not answer for this long has failed the bench.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// One connection to a development server.
pub(super) struct Client {
    reader: BufReader<TcpStream>,
    address: String,
}

/// What came back.
pub(super) struct Reply {
    /// The status code.
    pub(super) status: u16,
    /// The header fields as they came, but those about the transfer itself.
    pub(super) headers: Vec<(String, String)>,
    /// The body.
    pub(super) body: String,
}

impl Reply {
    /// The text of a field of the JSON body, by its first occurrence: enough for ids, codes and statuses.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("\"{field}\":\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }
}

impl Client {
    /// Connects to `host:port`.
    pub(super) fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self { reader: BufReader::new(stream), address: address.to_owned() })
    }

    /// Sends a GET.
    pub(super) fn get(&mut self, path: &str) -> Result<Reply> {
        self.send("GET", path, "")
    }

    /// Posts JSON.
    pub(super) fn post(&mut self, path: &str, body: &str) -> Result<Reply> {
        self.send("POST", path, body)
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Result<Reply> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer dev\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes())?;
        read_reply(&mut self.reader)
    }
}

/// Fields that every server writes by itself.
const OF_THE_TRANSFER: [&str; 4] = ["content-length", "date", "connection", "transfer-encoding"];

/// Reads one reply to its end and no further.
pub(super) fn read_reply(reader: &mut impl BufRead) -> Result<Reply> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("no status in {line:?}"))?;
    let mut length = 0;
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err("the connection was closed within the headers".into());
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse()?,
            Some((name, _)) if OF_THE_TRANSFER.iter().any(|own| name.eq_ignore_ascii_case(own)) => {}
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Reply { status, headers, body: String::from_utf8(body)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_read_to_its_end_and_no_further() {
        let mut wire =
            "HTTP/1.1 201 Created\r\nContent-Length: 11\r\nx: y\r\n\r\n{\"id\":\"VE\"}HTTP/1.1 204".as_bytes();
        let reply = read_reply(&mut wire).unwrap();
        assert_eq!((reply.status, reply.text("id"), reply.text("to")), (201, Some("VE"), None));
        assert_eq!(wire, b"HTTP/1.1 204");
    }

    #[test]
    fn a_cut_reply_is_an_error() {
        for wire in ["", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"] {
            assert!(read_reply(&mut wire.as_bytes()).is_err(), "{wire:?}");
        }
    }
}
