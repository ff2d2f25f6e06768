//! `admin_state`: states that an operator forces.

use crate::fault::{Effect, Faults, ImportError, Place};
use crate::files::{self, Reader};
use crate::vscf::{self, Node};
use std::cell::Cell;
use std::path::Path;

/// Place where gdnsd keeps states unless told otherwise.
const STATE_DIR: &str = "/var/lib/gdnsd";

/// The lines of the file; later ones beat earlier ones.
#[derive(Debug, Default)]
pub(crate) struct States {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    place: Place,
    pattern: String,
    up: bool,
    /// True when the state comes with a TTL.
    has_ttl: bool,
    /// True once something was asked for that it matches.
    used: Cell<bool>,
}

impl States {
    /// Reads the file from the state directory of the options, from `state/` or from the directory
    /// itself: the first that is there. Without one nothing is forced. The file of an installation
    /// on this machine is not read unless the options name it, because what is imported may come
    /// from another one; it is noted.
    pub(super) fn find(
        dir: &Path,
        state_dir: Option<&Path>,
        reader: &mut Reader,
        faults: &mut Faults,
    ) -> Result<Self, ImportError> {
        let beside = dir.join("state");
        let dirs = state_dir.into_iter().chain([beside.as_path(), dir]);
        let mut paths = dirs.map(|dir| dir.join("admin_state"));
        match paths.find(|path| path.is_file()) {
            Some(path) => Self::read(&vscf::load(&path, reader)?),
            None => {
                let elsewhere = Path::new(STATE_DIR).join("admin_state");
                if state_dir.is_none() && elsewhere.is_file() {
                    let why = "was not read; copy it beside config if it is this installation's, and import again";
                    faults.add(
                        &files::place(&elsewhere),
                        Effect::Changed,
                        "admin_state",
                        why,
                    );
                }
                Ok(Self::default())
            }
        }
    }

    fn read(root: &Node) -> Result<Self, ImportError> {
        let mut lines = Vec::new();
        for entry in &root.hash("admin_state")?.entries {
            let text = entry.node.text(&entry.key)?;
            let (state, ttl) = text
                .split_once('/')
                .map_or((text, None), |(state, ttl)| (state, Some(ttl)));
            let up = match state.to_ascii_uppercase().as_str() {
                "UP" => true,
                "DOWN" => false,
                _ => {
                    return Err(entry
                        .node
                        .wrong(&entry.key, "must be UP or DOWN, and may have a /TTL"));
                }
            };
            if ttl.is_some_and(|ttl| ttl.parse::<u32>().is_err()) {
                return Err(entry
                    .node
                    .wrong(&entry.key, "must have a number behind the slash"));
            }
            lines.push(Line {
                place: entry.place.clone(),
                pattern: entry.key.clone(),
                up,
                has_ttl: ttl.is_some(),
                used: Cell::new(false),
            });
        }
        Ok(Self { lines })
    }

    /// The state that is forced on a name such as `192.0.2.1/http` or `geoip/www/eu`.
    pub(crate) fn forced(&self, name: &str) -> Option<bool> {
        let mut state = None;
        for line in &self.lines {
            if files::matches(&line.pattern, name) {
                line.used.set(true);
                state = Some(line.up);
            }
        }
        state
    }

    /// Notes lines that match nothing, and TTLs.
    pub(crate) fn note(&self, faults: &mut Faults) {
        for line in &self.lines {
            let mut add = |effect, why| {
                faults.add(
                    &line.place,
                    effect,
                    format!("admin_state {}", line.pattern),
                    why,
                )
            };
            if !line.used.get() {
                add(Effect::Moot, "matches nothing that a zone's records use");
            } else if line.has_ttl {
                add(
                    Effect::Changed,
                    "the state is carried over, its TTL is not: a service has one TTL",
                );
            }
        }
    }
}
