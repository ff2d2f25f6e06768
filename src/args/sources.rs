//! Sources of geography in the order of the command line, across the options that name them.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use std::path::PathBuf;

/// Kinds of sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// MaxMind database.
    Mmdb(PathBuf),
    /// Ranges as CSV.
    Csv(PathBuf),
    /// ip2region database.
    Ip2region(PathBuf),
    /// Prefixes of one ISP.
    Cidr {
        /// The ISP, such as `ct`.
        isp: String,
        /// The list.
        file: PathBuf,
    },
}

/// Sources as they were given, first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources(pub(crate) Vec<Origin>);

/// The options, with what they are called in help.
const OPTIONS: [(&str, &str, &str); 4] = [
    (
        "mmdb",
        "FILE",
        "MaxMind database (country or city); repeatable",
    ),
    (
        "csv",
        "FILE",
        "Ranges: first,last,country code or AS number; repeatable",
    ),
    (
        "ip2region",
        "FILE",
        "ip2region database (China: province and ISP); repeatable",
    ),
    (
        "cidr",
        "ISP=FILE",
        "Prefixes of one ISP, one a line; repeatable",
    ),
];

// Derived options forget their order among one another, so this one is written out.
impl Args for Sources {
    fn augment_args(command: Command) -> Command {
        OPTIONS
            .iter()
            .fold(command, |command, (name, value, help)| {
                let option = Arg::new(*name)
                    .long(*name)
                    .value_name(*value)
                    .help(*help)
                    .action(ArgAction::Append);
                command.arg(match *name {
                    "cidr" => option.value_parser(isp_and_file),
                    _ => option.value_parser(value_parser!(PathBuf)),
                })
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Sources {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut placed: Vec<(usize, Origin)> = Vec::new();
        for (name, _, _) in OPTIONS.iter().filter(|(name, ..)| *name != "cidr") {
            let origin = match *name {
                "mmdb" => Origin::Mmdb,
                "csv" => Origin::Csv,
                _ => Origin::Ip2region,
            };
            let values = matches.get_many::<PathBuf>(name).into_iter().flatten();
            let places = matches.indices_of(name).into_iter().flatten();
            placed.extend(
                places
                    .zip(values)
                    .map(|(place, file)| (place, origin(file.clone()))),
            );
        }
        let values = matches
            .get_many::<(String, PathBuf)>("cidr")
            .into_iter()
            .flatten();
        let places = matches.indices_of("cidr").into_iter().flatten();
        placed.extend(places.zip(values).map(|(place, (isp, file))| {
            (
                place,
                Origin::Cidr {
                    isp: isp.clone(),
                    file: file.clone(),
                },
            )
        }));
        placed.sort_by_key(|(place, _)| *place);
        Ok(Self(placed.into_iter().map(|(_, origin)| origin).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Reads `ISP=FILE`.
fn isp_and_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((isp, file)) if !isp.is_empty() && !file.is_empty() => {
            Ok((isp.to_owned(), file.into()))
        }
        _ => Err("write ISP=FILE, such as ct=chinanet.txt".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Sources, clap::Error> {
        let command = Sources::augment_args(Command::new("build").no_binary_name(true));
        Sources::from_arg_matches(&command.try_get_matches_from(words.split_whitespace())?)
    }

    #[test]
    fn sources_keep_their_order_across_options() {
        let sources =
            parse("--csv a --mmdb b --cidr ct=c --csv d --ip2region e --cidr cu=f").unwrap();
        let cidr = |isp: &str, file: &str| Origin::Cidr {
            isp: isp.into(),
            file: file.into(),
        };
        let wanted = [
            Origin::Csv("a".into()),
            Origin::Mmdb("b".into()),
            cidr("ct", "c"),
            Origin::Csv("d".into()),
            Origin::Ip2region("e".into()),
            cidr("cu", "f"),
        ];
        assert_eq!(sources.0, wanted);
        assert_eq!(parse("").unwrap(), Sources::default());
    }

    #[test]
    fn a_list_needs_its_isp() {
        for bad in ["--cidr list.txt", "--cidr =list.txt", "--cidr ct="] {
            assert_eq!(parse(bad).unwrap_err().exit_code(), 2, "{bad}");
        }
    }
}
