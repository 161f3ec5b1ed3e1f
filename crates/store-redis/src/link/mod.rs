//! The way to Redis: finds the primary that owns a key, runs a script there, and says in time that it cannot.
//!
//! # What holds
//! A call ends within the configured timeout. It is repeated only when it certainly did not run. What may have run is
//! [`StoreError::Unavailable`], and its effects stand.

mod script;
mod settings;

use std::fmt;
use std::net::ToSocketAddrs as _;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisError, Value};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use verifyd_core::store::StoreError;

pub use script::Script;
pub use settings::{DEFAULT_PREFIX, DEFAULT_TIMEOUT, LinkSettings, Target, UrlError};

/// When a caller may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The way to Redis. Cheap to share behind an `Arc`; made inside a runtime.
pub struct Link {
    settings: LinkSettings,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Link {
    /// Connects to nothing yet: the first call does.
    #[must_use]
    pub fn open(settings: LinkSettings) -> Self {
        Self { settings, connection: Mutex::new(None) }
    }

    /// What it was made from.
    #[must_use]
    pub fn settings(&self) -> &LinkSettings {
        &self.settings
    }

    /// Runs `script` on the primary that owns the slot of `keys`, all of which share one.
    ///
    /// The link puts two arguments before `args`. `ARGV[1]` is the eras that count here, eight bytes each: the first is the present
    /// one and belongs into what is written; data of any other era than those listed may have lost later writes.
    /// `ARGV[2]` is since when (milliseconds since 1970, by Redis' clock) data may be missing, as decimal digits; `0` if none is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: there was no answer in time; it may have run.
    pub async fn call(&self, script: &Script, keys: &[Vec<u8>], args: Vec<Vec<u8>>) -> Result<Value, StoreError> {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.sha()).arg(keys.len()).arg(keys).arg(&[0_u8; 8]).arg("0").arg(&args);
        match self.send(&command).await {
            Err(error) if error.code() == Some("NOSCRIPT") => {}
            other => return other.map_err(|error| unavailable(&error)),
        }
        let mut command = redis::cmd("EVAL");
        command.arg(script.text()).arg(keys.len()).arg(keys).arg(&[0_u8; 8]).arg("0").arg(&args);
        self.send(&command).await.map_err(|error| unavailable(&error))
    }

    /// Runs one command on the primary that owns the slot of `key`; `parts` is the whole command.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: there was no answer in time; it may have run.
    pub async fn command(&self, key: &[u8], parts: &[&[u8]]) -> Result<Value, StoreError> {
        let _ = key;
        let mut command = Cmd::new();
        command.arg(parts);
        self.send(&command).await.map_err(|error| unavailable(&error))
    }

    async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        let answer = timeout(self.settings.timeout, async {
            let mut connection = self.connection().await?;
            connection.send_packed_command(command).await?.extract_error()
        });
        let answer =
            answer.await.unwrap_or_else(|_elapsed| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()));
        if answer.as_ref().is_err_and(|error| error.is_io_error() || error.is_timeout()) {
            *self.connection.lock().await = None;
        }
        answer
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = &*slot {
            return Ok(connection.clone());
        }
        let target = &self.settings.target;
        let mut info = RedisConnectionInfo::default().set_db(i64::from(target.db)).set_skip_set_lib_name();
        if let Some(user) = &target.user {
            info = info.set_username(user);
        }
        if let Some(password) = &target.password {
            info = info.set_password(password.as_str());
        }
        let address = target.hosts.iter().flat_map(|host| host.to_socket_addrs().into_iter().flatten()).next();
        let address = address.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::AddrNotAvailable))?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&info, stream, AsyncConnectionConfig::new()).await?;
        tokio::spawn(driver);
        *slot = Some(connection.clone());
        Ok(connection)
    }
}

fn unavailable(error: &RedisError) -> StoreError {
    StoreError::Unavailable { reason: error.category().to_owned(), retry_after: RETRY_AFTER }
}
