//! Servers under test: started on their core, and ended whatever becomes of us.

use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A process that is killed when this is dropped. When we are killed ourselves, by whatever signal,
/// the kernel kills it (PR_SET_PDEATHSIG), so that neither an error nor Ctrl-C leaves a server
/// behind.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `program` on `core`; what it says goes to the file `log`. Must be called from a
    /// thread that outlives it: the kernel ties its life to the thread.
    ///
    /// # Errors
    /// When the log cannot be written or util-linux (setpriv, taskset) is missing.
    pub fn start(program: &Path, args: &[String], core: usize, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "taskset", "--cpu-list"])
            .arg(core.to_string())
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("cannot run setpriv: install util-linux")?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// The process: setpriv and taskset have become the program.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says so when it has ended by itself.
    ///
    /// # Errors
    /// When it has; with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        bail!(self.obituary(status))
    }

    /// Tells how it ended, and its last words.
    fn obituary(&self, status: ExitStatus) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(8)..].join("\n  ");
        let path = self.log.display();
        format!("the server ended ({status}); the end of {path}:\n  {tail}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; there is nothing to be done about other faults.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// Tells whether a process of this number exists.
    fn exists(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn it_runs_until_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut server = Server::start(Path::new("sleep"), &["60".into()], 0, &log).unwrap();
        let pid = server.pid();
        server.check().unwrap();
        assert!(exists(pid));
        drop(server);
        assert!(!exists(pid));
    }

    #[test]
    fn an_early_end_is_reported_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let args = ["-c".into(), "echo no such zone; exit 3".into()];
        let mut server = Server::start(Path::new("sh"), &args, 0, &log).unwrap();
        let begun = Instant::now();
        let fault = loop {
            if let Err(fault) = server.check() {
                break fault.to_string();
            }
            assert!(begun.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(fault.contains("no such zone"), "{fault}");
    }
}
