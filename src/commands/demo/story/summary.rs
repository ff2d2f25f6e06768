//! The last table, and what to try when everything stays up.

use super::Stage;
use crate::commands::demo::checks::Checks;
use crate::commands::demo::costs::Costs;
use crate::commands::output;
use serde_json::{Value, json};
use watershed::keys::admin_token_file;

impl Stage {
    /// The last table.
    pub(super) async fn summary(
        &mut self,
        as_json: bool,
        checks: &Checks,
        costs: &Costs,
    ) -> anyhow::Result<()> {
        let stats = self.population.stats().await?;
        let mut table = output::table(&["answers of the edge", "count", "p50", "p99", "failed"]);
        for (way, name) in [(&stats.dns, "DNS"), (&stats.redirect, "302")] {
            let failed: u64 = way.failures.values().sum();
            let (p50, p99) = (format!("{} us", way.p50_us), format!("{} us", way.p99_us));
            table.add_row([
                name.to_owned(),
                way.answers.to_string(),
                p50,
                p99,
                failed.to_string(),
            ]);
        }
        if as_json {
            let rows: Vec<Value> = costs
                .rows
                .iter()
                .map(|row| json!({ "policy": row.policy, "levels": row.levels }))
                .collect();
            return output::json(
                &json!({ "checks": checks, "costs": rows, "dns": stats.dns, "redirect": stats.redirect }),
            );
        }
        output::say(&format!("\n{table}\n{}\n{}", costs.table(), checks.table()))?;
        let verdict = if checks.failed() == 0 {
            "every check passed"
        } else {
            "some checks FAILED"
        };
        output::say(verdict)
    }

    /// Stays up until Ctrl-C.
    pub(super) async fn keep(&mut self) -> anyhow::Result<()> {
        let config = self.config_file.display();
        let api = self.api.base_url();
        let token = admin_token_file(&self.control.data_dir);
        let (dns, web) = (self.dns, self.web_address);
        let global = format!("-c {config} --api {api} --token-file {}", token.display());
        output::say(&format!(
            "\nEverything stays up until Ctrl-C. To try:\n\
             \x20 dig @{} -p {} live.cdn.example A +subnet=202.96.128.0/24\n\
             \x20 curl -si -H 'Host: dl.cdn.example' -H 'X-Forwarded-For: 202.96.128.86' http://{web}/film.mp4\n\
             \x20 watershed status {global}\n\
             \x20 watershed explain --name live.cdn.example --client 202.96.128.86 {global}\n\
             \x20 watershed drain group:szx1-a --lease 10m --reason trying --wait {global}\n\
             \x20 watershed drains {global}\n\
             The edge keeps its data in {}.",
            dns.ip(),
            dns.port(),
            self.edge.data_dir.display(),
        ))?;
        Ok(tokio::signal::ctrl_c().await?)
    }
}
