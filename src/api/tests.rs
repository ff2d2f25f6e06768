//! The API over real sockets, in front of a control plane with a small inventory.

mod access;
mod bodies;
mod document;
mod flows;

use super::{Auth, router, serve};
use crate::client::{ApiClient, ClientError};
use crate::config::{Config, Role, Token};
use crate::control::{ControlHandle, ControlOptions, Deployment, start};
use crate::keys::{sha256, signing_key};
use crate::metrics::Metrics;
use crate::serving::Intake;
use crate::store::SqliteStore;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use geo::{Keys, Layers, Places, read_csv};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Files of the small world, which the command line is tried on, too.
const FILES: [(&str, &str); 3] = [
    (
        "watershed.toml",
        include_str!("../../tests/it/small/watershed.toml"),
    ),
    (
        "inventory.toml",
        include_str!("../../tests/it/small/inventory.toml"),
    ),
    ("cdn.zone", include_str!("../../tests/it/small/cdn.zone")),
];

/// A control plane behind its API, until dropped.
struct World {
    control: ControlHandle,
    url: String,
    stop: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.control.stop();
        self.stop.send_replace(true);
    }
}

impl World {
    /// Four sites, one service, four tokens named after their roles.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in FILES {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let config = Config::load(&dir.path().join("watershed.toml"), &[]).unwrap();
        fs::create_dir_all(&config.data_dir).unwrap();
        let mut layers = Layers::new(Keys::parse(["country"]).unwrap(), Places::shipped());
        layers.add(read_csv(b"1.0.0.0,1.0.255.255,CN\n2.0.0.0,2.0.0.255,US\n").unwrap());
        let table = Arc::new(layers.finish().unwrap().0);
        let key = signing_key(&config.data_dir).unwrap();
        let intake = Intake::new(
            &config.data_dir,
            vec![key.verifying_key()],
            Some(Arc::clone(&table)),
        );
        let options = ControlOptions {
            engine: config.engine.clone(),
            cycle: config.cycle,
            data_dir: config.data_dir.clone(),
            audit_kept: config.audit_kept,
            serves: true,
        };
        let store = Box::new(SqliteStore::open(&config.data_dir.join("state.db")).unwrap());
        let deployment = Deployment {
            inventory: Arc::new(config.inventory),
            table,
            steering: Arc::default(),
        };
        let (control, _) = start(deployment, options, store, key, Arc::new(intake)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = watch::channel(false);
        let routes = router(control.clone(), auth(), Metrics::of_process());
        tokio::spawn(serve(listener, routes, stopped));
        Self {
            control,
            url,
            stop,
            _dir: dir,
        }
    }

    /// A client whose token has that name, and that role.
    fn client(&self, token: &str) -> ApiClient {
        ApiClient::new(&self.url, Some(token.to_owned())).unwrap()
    }

    /// Waits for the first map.
    async fn ready(&self) {
        let mut records = self.control.record();
        let ready = records.wait_for(Option::is_some);
        drop(
            tokio::time::timeout(Duration::from_secs(20), ready)
                .await
                .unwrap()
                .unwrap(),
        );
    }
}

/// Tokens that are named like their roles.
fn auth() -> Auth {
    let roles = [
        ("viewer", Role::Viewer),
        ("rollout", Role::Rollout),
        ("operator", Role::Operator),
        ("admin", Role::Admin),
    ];
    let token = |(name, role): (&str, Role)| Token {
        name: name.to_owned(),
        role,
        sha256: sha256(name).0,
    };
    Auth::new(roles.into_iter().map(token).collect())
}

/// One request to a router, without a socket.
pub(super) async fn call(routes: Router, request: Request) -> Response {
    TowerToHyperService::new(routes)
        .call(request)
        .await
        .unwrap()
}

/// Status of an answer that is an error; 200 for one that is not.
fn status<T>(answer: Result<T, ClientError>) -> u16 {
    match answer {
        Ok(_) => 200,
        Err(fault) => fault.status().unwrap_or_else(|| panic!("{fault}")),
    }
}

/// A request without a body.
fn bare(method: &str, path: &str, token: Option<&str>) -> Request {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::empty()).unwrap()
}
