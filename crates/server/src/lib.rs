//! The verifyd service: configuration, HTTP, command line. Rules are in `verifyd-core`; here they are only wired and served.

pub mod api_keys;
pub mod cli;
pub mod config;
pub mod data_dir;
pub mod http;
pub mod key_file;
pub mod metered;
pub mod metrics;
pub mod mock;
pub mod registry_view;
pub mod telemetry;
pub mod wiring;
