//! `watershed import`: the configuration of another DNS load balancer, translated.

use super::{CommandError, output};
use crate::args::{Global, ImportArgs, ImportCommand};
use anyhow::anyhow;
use import::{Effect, Fault, Import, ImportError, Overwrite};
use serde_json::json;
use watershed::config::Config;

/// Does what is asked for.
pub(super) fn import(global: &Global, command: &ImportCommand) -> Result<(), CommandError> {
    let ImportCommand::Gdnsd(args) = command;
    let bar = output::spinner("translating");
    let import = import::gdnsd(&args.src).map_err(failed)?;
    let overwrite = if args.force {
        Overwrite::Always
    } else {
        Overwrite::Never
    };
    import.write(&args.dst, overwrite).map_err(failed)?;
    let config = args.dst.join("watershed.toml");
    // What was written must load; if it does not, the import is wrong and says so at once.
    let loaded = Config::load(&config, &[]);
    bar.finish_and_clear();
    if global.json {
        output::json(&json!({
            "config": config.display().to_string(),
            "carried": import.summary,
            "faults": import.faults,
        }))?;
    } else {
        tell(&import, args)?;
    }
    match loaded {
        Ok(_) => Ok(()),
        Err(faults) => Err(CommandError::Failed(anyhow!(
            "the translation does not load, which is a fault of the import:\n{faults}"
        ))),
    }
}

/// The input is wrong, or the output cannot be written.
fn failed(error: ImportError) -> CommandError {
    match error {
        ImportError::Unwritable { .. } => CommandError::Failed(error.into()),
        _ => CommandError::Usage(error.to_string()),
    }
}

/// Tells what has no equivalent, and what has.
fn tell(import: &Import, args: &ImportArgs) -> anyhow::Result<()> {
    if !import.faults.is_empty() {
        let mut table = output::table(&["where", "effect", "what", "why"]);
        for fault in &import.faults {
            table.add_row([&place(fault), fault.effect.word(), &fault.what, &fault.why]);
        }
        output::show(&table)?;
    }
    output::say(&format!("carried over: {}", import.summary))?;
    let count = |effect| {
        import
            .faults
            .iter()
            .filter(|fault| fault.effect == effect)
            .count()
    };
    let counts = [Effect::Lost, Effect::Changed, Effect::Moot].map(count);
    let report = args.dst.join("IMPORT.md");
    let report = report.display();
    output::say(&match counts {
        [0, 0, 0] => "everything was carried over".to_owned(),
        [0, 0, moot] => format!(
            "everything was carried over but {moot} lines on which no answer depends; see {report}"
        ),
        [lost, changed, moot] => format!(
            "NOT everything was carried over: {lost} lost, {changed} changed, {moot} moot; see {report}"
        ),
    })?;
    let config = args.dst.join("watershed.toml");
    output::say(&format!("next: watershed run -c {}", config.display()))
}

/// A file with its line.
fn place(fault: &Fault) -> String {
    match fault.line {
        0 => fault.file.clone(),
        line => format!("{}:{line}", fault.file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    const ZONE: &str =
        "@ SOA ns1 h 1 2h 30m 3d 900\n@ NS ns1\nns1 A 192.0.2.1\nwww 300 DYNA multifo!web\n";

    fn installation(dir: &Path, config: &str) -> ImportArgs {
        fs::create_dir_all(dir.join("src/zones")).unwrap();
        fs::write(dir.join("src/config"), config).unwrap();
        fs::write(dir.join("src/zones/example.com"), ZONE).unwrap();
        ImportArgs {
            src: dir.join("src"),
            dst: dir.join("dst"),
            force: false,
        }
    }

    #[test]
    fn what_is_written_loads_and_stays_unless_forced() {
        let dir = tempfile::tempdir().unwrap();
        let mut args = installation(dir.path(), "plugins => { multifo => { web => 192.0.2.7 } }");
        let run =
            |args: &ImportArgs| import(&Global::default(), &ImportCommand::Gdnsd(args.clone()));
        run(&args).unwrap();
        let config = Config::load(&args.dst.join("watershed.toml"), &[]).unwrap();
        assert_eq!(config.policies.services.len(), 1);
        assert_eq!(
            config.policies.services[0].served.domains,
            ["www.example.com."]
        );
        let again = run(&args).unwrap_err();
        assert_eq!(again.exit_code(), 2, "{again}");
        args.force = true;
        run(&args).unwrap();
    }

    /// A configuration with all that makes a table of its own in what is written.
    const MUCH: &str = r#"
    service_types => {
        web => { plugin => http_status, vhost => www.example.com }
        tcp => { plugin => tcp_connect, port => 443, interval => 5, timeout => 2 }
    }
    plugins => {
        multifo => { web => { service_types => [ web, tcp ], a => 192.0.2.1, b => 192.0.2.2 } }
        weighted => { w => { a => [ 192.0.2.9, 1 ] } }
        metafo => { resources => { f => { datacenters => [ a, "b \"x" ], dcmap => { a => %geoip!g, "b \"x" => www.cdn.example. } } } }
        geoip => {
            maps => { "m/1" => { geoip2_db => City.mmdb, datacenters => [ eu, us ], auto_dc_coords => { eu => [ 50, 8 ] },
                map => { EU => { DE => { BY => eu, "Münster" => [ us ] } } }, nets => { 2001:db8::/48 => us } } }
            resources => { g => { map => "m/1", dcmap => { eu => %multifo!web, us => { plugin => weighted, x => [ 192.0.2.3, 7 ] } } } }
        }
    }"#;

    #[test]
    fn all_that_can_be_written_loads() {
        let dir = tempfile::tempdir().unwrap();
        let args = installation(dir.path(), MUCH);
        let records =
            "g 300 DYNA geoip!g\n@ DYNA geoip!g\n*.wild 20 DYNC metafo!f\nnone DYNC weighted!w\n";
        fs::write(
            args.src.join("zones/example.com"),
            format!("{ZONE}{records}"),
        )
        .unwrap();
        fs::create_dir(args.src.join("geoip")).unwrap();
        fs::write(args.src.join("geoip/City.mmdb"), "only copied").unwrap();
        let global = Global {
            json: true,
            ..Global::default()
        };
        import(&global, &ImportCommand::Gdnsd(args.clone())).unwrap();
        let config = Config::load(&args.dst.join("watershed.toml"), &[]).unwrap();
        let counts = (
            config.checks.len(),
            config.policies.policies.len(),
            config.policies.services.len(),
        );
        assert_eq!(counts, (2, 2, 5));
    }

    #[test]
    fn bad_input_is_told_with_file_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let args = installation(
            dir.path(),
            "plugins => {\n multifo => { web => nonsense }\n}",
        );
        let error = import(&Global::default(), &ImportCommand::Gdnsd(args)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("config:2:"), "{error}");
        assert!(!dir.path().join("dst").exists());
    }
}
