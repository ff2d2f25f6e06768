//! A zone file with what it includes, entry by entry.

use super::super::options::Options;
use super::name::{self, Origins};
use super::words::{Line, Word};
use super::{Dynamic, Zone, record, ttl, words};
use crate::fault::{ImportError, Place};
use crate::files::{self, Reader};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Deepest chain of includes.
const DEPTH_MAX: usize = 32;

/// Reads the zone of a file.
///
/// # Errors
/// [`ImportError`] with the line of the fault.
pub(super) fn zone(
    path: &Path,
    options: &Options,
    reader: &mut Reader,
) -> Result<Zone, ImportError> {
    let file = path.file_name().and_then(|name| name.to_str());
    let Some(apex) = file.map(name::of_file) else {
        return Err(ImportError::invalid(
            &files::place(path),
            "the name of the file is no domain name",
        ));
    };
    let mut reading = Reading {
        options,
        reader,
        apex: apex.clone(),
        zone: Zone {
            name: if apex == "." {
                apex.clone()
            } else {
                apex.trim_end_matches('.').to_owned()
            },
            records: String::new(),
            dynamic: Vec::new(),
        },
        depth: 0,
        soa: 0,
        ns: 0,
    };
    reading.file(path, apex, options.ttl_default_s)?;
    for (rtype, count) in [("SOA", reading.soa), ("NS", reading.ns)] {
        if count == 0 || (rtype == "SOA" && count > 1) {
            let why = format!("the zone has {count} records of type {rtype} at its own name");
            return Err(ImportError::invalid(&files::place(path), why));
        }
    }
    Ok(reading.zone)
}

struct Reading<'a> {
    options: &'a Options,
    reader: &'a mut Reader,
    /// The zone's name, absolute.
    apex: String,
    zone: Zone,
    depth: usize,
    /// Records at the zone's own name.
    soa: usize,
    ns: usize,
}

/// State that changes from line to line of one file.
struct State {
    file: Arc<str>,
    origins: Origins,
    ttl_s: u32,
    /// Owner of the record before.
    owner: Option<String>,
}

/// A record before its data.
struct Head {
    owner: String,
    ttl: Option<(u32, Option<u32>)>,
    rtype: String,
}

impl Reading<'_> {
    fn file(&mut self, path: &Path, origin: String, ttl_s: u32) -> Result<(), ImportError> {
        let bytes = self.reader.bytes(path)?;
        let file: Arc<str> = Arc::from(path.display().to_string());
        let at = |line| Place {
            file: Arc::clone(&file),
            line,
        };
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(ImportError::invalid(
                &at(0),
                "must be UTF-8; write other bytes as \\DDD",
            ));
        };
        let lines =
            words::lines(&text).map_err(|(line, why)| ImportError::invalid(&at(line), why))?;
        let mut state = State {
            file: Arc::clone(&file),
            origins: Origins {
                current: origin.clone(),
                zone: self.apex.clone(),
                file: origin,
            },
            ttl_s,
            owner: None,
        };
        for line in &lines {
            let place = at(line.number);
            let is_directive = line
                .words
                .first()
                .is_some_and(|word| !word.quoted && word.raw.starts_with('$'));
            if is_directive {
                self.directive(line, &place, &mut state, path)?;
            } else {
                self.record(line, &place, &mut state)?;
            }
        }
        Ok(())
    }

    fn directive(
        &mut self,
        line: &Line,
        place: &Place,
        state: &mut State,
        path: &Path,
    ) -> Result<(), ImportError> {
        let wrong = |why: &str| Err(ImportError::invalid(place, why));
        let words: Vec<&str> = line.words.iter().map(|word| word.raw.as_str()).collect();
        match (words[0].to_ascii_uppercase().as_str(), &words[1..]) {
            ("$TTL", [time]) => match ttl::seconds(time) {
                Some(ttl_s) => state.ttl_s = ttl_s,
                None => return wrong("$TTL needs a time"),
            },
            ("$ORIGIN", [origin]) => {
                let origin = state.origins.absolute(origin);
                if !name::is_within(&origin, &self.apex) {
                    return wrong("$ORIGIN must lie within the zone");
                }
                state.origins.current = origin;
            }
            ("$INCLUDE", [file, rest @ ..]) if rest.len() < 2 => {
                if self.depth == DEPTH_MAX {
                    return wrong("includes are nested too deeply; do they go round?");
                }
                let Some(file) = record::unescaped(file)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                else {
                    return wrong("$INCLUDE needs the path of a file");
                };
                let origin = rest.first().map_or_else(
                    || state.origins.current.clone(),
                    |name| state.origins.absolute(name),
                );
                let included = path.parent().unwrap_or_else(|| Path::new("")).join(file);
                if !included.is_file() {
                    return wrong(&format!(
                        "there is no file {} to include",
                        included.display()
                    ));
                }
                self.depth += 1;
                self.file(&included, origin, state.ttl_s)?;
                self.depth -= 1;
            }
            (other, _) => {
                return wrong(&format!("{other} is no directive, or lacks what it needs"));
            }
        }
        Ok(())
    }

    fn record(&mut self, line: &Line, place: &Place, state: &mut State) -> Result<(), ImportError> {
        let wrong = |why: String| ImportError::invalid(place, why);
        let (head, data) = head(line, state).map_err(wrong)?;
        state.owner = Some(head.owner.clone());
        if !name::is_within(&head.owner, &self.apex) {
            return Err(wrong(format!("{} lies outside the zone", head.owner)));
        }
        if matches!(head.rtype.as_str(), "DYNA" | "DYNC") {
            let dynamic = self.dynamic(head, data, place, state).map_err(wrong)?;
            self.zone.dynamic.push(dynamic);
            return Ok(());
        }
        let ttl_s = match head.ttl {
            Some((_, Some(_))) => {
                return Err(wrong("only DYNA and DYNC have a shortest TTL".to_owned()));
            }
            Some((ttl_s, None)) => ttl_s,
            None => state.ttl_s,
        };
        let mut ttl_s = self.clamped(ttl_s);
        if head
            .owner
            .to_ascii_lowercase()
            .starts_with("_acme-challenge.")
        {
            ttl_s = self.options.ttl_acme_s;
        }
        let data = if head.rtype == "SOA" {
            let soa = record::authority(data, &state.origins).map_err(wrong)?;
            let absent_s = soa.absent_s.min(ttl_s).min(self.options.ttl_absent_max_s);
            ttl_s = absent_s.max(*self.options.ttl_s.start());
            format!("{} {ttl_s}", soa.head)
        } else {
            record::data(&head.rtype, data, &state.origins).map_err(wrong)?
        };
        if head.owner.eq_ignore_ascii_case(&self.apex) {
            self.soa += usize::from(head.rtype == "SOA");
            self.ns += usize::from(head.rtype == "NS");
        }
        // Writing to text cannot fail.
        let _ = writeln!(
            self.zone.records,
            "{} {ttl_s} IN {} {data}",
            head.owner, head.rtype
        );
        Ok(())
    }

    fn dynamic(
        &self,
        head: Head,
        data: &[Word],
        place: &Place,
        state: &State,
    ) -> Result<Dynamic, String> {
        let [word] = data else {
            return Err(format!(
                "{} needs plugin!resource and nothing else",
                head.rtype
            ));
        };
        let bytes = record::unescaped(&word.raw)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| format!("{:?} is no name of a resource", word.raw))?;
        let (plugin, resource) = text.split_once('!').unwrap_or((&text, ""));
        let (max, min) = head.ttl.unwrap_or((state.ttl_s, None));
        let ttl_s = self.clamped(max);
        Ok(Dynamic {
            place: place.clone(),
            owner: head.owner,
            ttl_s,
            ttl_min_s: self.clamped(min.unwrap_or(max / 2)).min(ttl_s),
            plugin: plugin.to_owned(),
            resource: resource.to_owned(),
        })
    }

    fn clamped(&self, ttl_s: u32) -> u32 {
        ttl_s.clamp(*self.options.ttl_s.start(), *self.options.ttl_s.end())
    }
}

/// Owner, TTL, class and type, and the words behind them.
fn head<'a>(line: &'a Line, state: &State) -> Result<(Head, &'a [Word]), String> {
    let mut rest = line.words.as_slice();
    let owner = if line.indented {
        let before = state.owner.clone();
        before.ok_or_else(|| format!("{}: the first record of a file needs a name", state.file))?
    } else {
        let (first, behind) = rest.split_first().ok_or("the line is empty")?;
        rest = behind;
        state.origins.absolute(&first.raw)
    };
    let mut time = None;
    loop {
        let (first, behind) = rest.split_first().ok_or("the record has no type")?;
        rest = behind;
        let word = first.raw.to_ascii_uppercase();
        match ttl::range(&word) {
            Some(range) if time.is_none() => time = Some(range),
            _ if word == "IN" => {}
            _ if matches!(word.as_str(), "CH" | "HS" | "CS") => {
                return Err(format!("class {word} is not served"));
            }
            _ => {
                let head = Head {
                    owner,
                    ttl: time,
                    rtype: word,
                };
                return Ok((head, rest));
            }
        }
    }
}
