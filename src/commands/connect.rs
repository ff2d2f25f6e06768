//! The way from a command to a running control plane: address, token, and a runtime for one
//! conversation.

use super::{CommandError, config};
use crate::args::Global;
use serde::Deserialize;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use watershed::client::ApiClient;
use watershed::keys::{admin_token_file, read_token};

/// Addresses on which a running daemon really listens, as it keeps them in its data directory.
#[derive(Deserialize)]
struct Addresses {
    api: Option<SocketAddr>,
}

/// A client as the global options describe it: `--api` and `--token-file` first, what `-c` tells
/// otherwise.
pub(super) fn connect(global: &Global) -> Result<ApiClient, CommandError> {
    let config = global
        .config
        .is_some()
        .then(|| config(global))
        .transpose()?;
    let data_dir = config.as_ref().map(|config| config.data_dir.as_path());
    let url = match (&global.api, &config) {
        (Some(url), _) => url.clone(),
        (None, Some(config)) => {
            let listen = data_dir.and_then(running).unwrap_or(config.api.listen);
            format!("http://{}", reachable(listen))
        }
        (None, None) => {
            let text = "say which control plane: -c watershed.toml, or --api http://HOST:PORT --token-file FILE";
            return Err(CommandError::Usage(text.to_owned()));
        }
    };
    let admin = data_dir.map(admin_token_file).filter(|path| path.exists());
    let token_file = global.token_file.clone().or(admin);
    let token = token_file
        .as_deref()
        .map(read_token)
        .transpose()
        .map_err(|fault| CommandError::Usage(format!("{fault:#}")))?;
    Ok(ApiClient::new(&url, token)?)
}

/// Runs one conversation with a daemon.
pub(super) fn converse<T>(
    conversation: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(anyhow::Error::from)?.block_on(conversation)
}

/// Address of the daemon of a data directory; `None` when it never ran.
fn running(data_dir: &Path) -> Option<SocketAddr> {
    let bytes = fs::read(data_dir.join("addresses.json")).ok()?;
    serde_json::from_slice::<Addresses>(&bytes).ok()?.api
}

/// An address to connect to, for one that listens on all.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_before_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        fs::write(&token, "secret\n").unwrap();
        let global = Global {
            api: Some("http://127.0.0.1:9".into()),
            token_file: Some(token),
            ..Global::default()
        };
        assert_eq!(connect(&global).unwrap().base_url(), "http://127.0.0.1:9");
        let missing = Global {
            token_file: Some(dir.path().join("none")),
            ..global
        };
        assert_eq!(connect(&missing).unwrap_err().exit_code(), 2);
        assert_eq!(connect(&Global::default()).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn the_address_of_the_running_daemon_is_found() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(running(dir.path()), None);
        fs::write(
            dir.path().join("addresses.json"),
            r#"{"dns":[],"api":"0.0.0.0:8053"}"#,
        )
        .unwrap();
        let found = running(dir.path()).unwrap();
        assert_eq!(reachable(found).to_string(), "127.0.0.1:8053");
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
    }
}
