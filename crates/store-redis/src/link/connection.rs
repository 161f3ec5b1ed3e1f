//! One connection to one server: how it is made, and what the server said of itself when it was.
//!
//! Commands of many callers share it. It ends by itself when the server closes it, and when it is dropped.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisError, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::era::Era;
use super::info::Info;
use super::url::{Address, Login};

/// Commands that wait to be written; callers behind it wait within their own time.
const WAITING_COMMANDS: usize = 512;

/// How to get in.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) login: Login,
    pub(super) db: u32,
    pub(super) tls: Option<TlsConnector>,
}

/// A live connection and what is known of the server behind it.
pub(super) struct Connection {
    commands: MultiplexedConnection,
    driver: AbortHandle,
    pub(super) address: Address,
    pub(super) standing: Standing,
    pub(super) made_at: Instant,
    /// How long the server had run then.
    pub(super) uptime: Duration,
    /// Milliseconds after `made_at` at which the standing was last seen to be the same.
    confirmed_ms: AtomicU64,
}

/// What a server is in its replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) primary: bool,
    pub(super) era: Option<Era>,
    /// The era that it took over from another primary.
    pub(super) predecessor: Option<Era>,
}

impl Standing {
    pub(super) fn read(info: Info<'_>) -> Self {
        let era = |name| info.get(name).and_then(Era::from_replication_id);
        Self {
            primary: info.get("role") == Some("master"),
            era: era("master_replid"),
            predecessor: era("master_replid2"),
        }
    }
}

/// Why there is no connection. Everything in it may be shown.
#[derive(Debug)]
pub(super) enum DialError {
    Io(io::Error),
    Redis(RedisError),
    NotPrimary,
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPrimary => f.write_str("it is no primary"),
            // A refused certificate says why in its text; an error of the system says nothing of us.
            Self::Io(error) => write!(f, "{error}"),
            Self::Redis(error) if error.is_io_error() => write!(f, "{error}"),
            // Its code and category; details of a refused login name the user.
            Self::Redis(error) => write!(f, "{}", error.code().unwrap_or_else(|| error.category())),
        }
    }
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<RedisError> for DialError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connection {
    /// Connects, logs in and asks where the server stands. The task ends when the connection does. Takes as long as it takes.
    pub(super) async fn dial(address: &Address, access: &Access) -> Result<(Self, JoinHandle<()>), DialError> {
        let (mut commands, driver) = open(address, access).await?;
        let made_at = Instant::now();
        let text = match commands.send_packed_command(&redis::cmd("INFO")).await {
            Ok(answer) => info_text(answer),
            Err(error) => Err(error.into()),
        };
        let text = text.inspect_err(|_| driver.abort())?;
        let info = Info::parse(&text);
        let connection = Self {
            commands,
            driver: driver.abort_handle(),
            address: address.clone(),
            standing: Standing::read(info),
            made_at,
            uptime: Duration::from_secs(info.number("uptime_in_seconds").unwrap_or(0)),
            confirmed_ms: AtomicU64::new(0),
        };
        Ok((connection, driver))
    }

    /// Sends one command. A server's "no" is an `Err` too.
    pub(super) async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        self.commands.clone().send_packed_command(command).await?.extract_error()
    }

    /// Sends several commands side by side; nothing of another caller comes between them. Gives the answer to the last
    /// if none was a "no".
    pub(super) async fn send_all(&self, commands: &Pipeline) -> Result<Value, RedisError> {
        let answers = self.commands.clone().send_packed_commands(commands, 0, commands.len()).await?;
        answers.into_iter().try_fold(Value::Nil, |_, answer| answer.extract_error())
    }

    /// Asks again where the server stands; `true` if nothing has changed.
    pub(super) async fn confirm(&self) -> Result<bool, DialError> {
        let asked_at = self.made_at.elapsed();
        let answer = self.send(redis::cmd("INFO").arg("replication")).await?;
        let text = info_text(answer)?;
        let same = Standing::read(Info::parse(&text)) == self.standing;
        if same {
            let asked_ms = u64::try_from(asked_at.as_millis()).unwrap_or(u64::MAX);
            self.confirmed_ms.fetch_max(asked_ms, Ordering::Relaxed);
        }
        Ok(same)
    }

    /// How long ago the standing was last seen to be the same.
    pub(super) fn unconfirmed_for(&self) -> Duration {
        let confirmed = Duration::from_millis(self.confirmed_ms.load(Ordering::Relaxed));
        self.made_at.elapsed().saturating_sub(confirmed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

async fn open(address: &Address, access: &Access) -> Result<(MultiplexedConnection, JoinHandle<()>), DialError> {
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
    // Commands are small and somebody waits for each.
    tcp.set_nodelay(true)?;
    let stream: Box<dyn Stream> = match &access.tls {
        None => Box::new(tcp),
        Some(tls) => {
            let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
            Box::new(tls.connect(name, tcp).await?)
        }
    };
    let mut info = RedisConnectionInfo::default().set_db(i64::from(access.db)).set_skip_set_lib_name();
    if let Some(user) = &access.login.user {
        info = info.set_username(user);
    }
    if let Some(password) = &access.login.password {
        info = info.set_password(password.as_str());
    }
    // Times are the callers': a second clock in the connection would only be a second answer.
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(WAITING_COMMANDS);
    let (commands, driver) = MultiplexedConnection::new_with_config(&info, stream, config).await?;
    Ok((commands, tokio::spawn(driver)))
}

/// The text of an `INFO`.
pub(super) fn info_text(answer: Value) -> Result<String, DialError> {
    match answer.extract_error()? {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => Ok(text),
        _ => Err(DialError::Io(io::Error::from(io::ErrorKind::InvalidData))),
    }
}
