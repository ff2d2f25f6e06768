//! Names of zones and of records.

/// Origins that a name may be relative to; all absolute.
#[derive(Clone, Debug)]
pub(super) struct Origins {
    /// `@`.
    pub(super) current: String,
    /// `@Z`: the zone.
    pub(super) zone: String,
    /// `@F`: where the file began.
    pub(super) file: String,
}

impl Origins {
    /// An absolute name.
    pub(super) fn absolute(&self, name: &str) -> String {
        let special = |text: &str| match text {
            "@Z" | "@z" => Some(&self.zone),
            "@F" | "@f" => Some(&self.file),
            _ => None,
        };
        if name == "@" {
            return self.current.clone();
        }
        if let Some(whole) = special(name) {
            return whole.clone();
        }
        if is_absolute(name) {
            return name.to_owned();
        }
        if let Some((start, last)) = name.rsplit_once('.')
            && let Some(origin) = special(last)
        {
            return join(start, origin);
        }
        join(name, &self.current)
    }
}

fn join(name: &str, origin: &str) -> String {
    match origin {
        "." => format!("{name}."),
        _ => format!("{name}.{origin}"),
    }
}

/// Tells whether a name ends with a dot that is no part of a label.
fn is_absolute(name: &str) -> bool {
    let Some(start) = name.strip_suffix('.') else {
        return false;
    };
    let slashes = start
        .bytes()
        .rev()
        .take_while(|byte| *byte == b'\\')
        .count();
    slashes % 2 == 0
}

/// Tells whether a name is a zone's, or lies below it. Both absolute.
pub(super) fn is_within(name: &str, zone: &str) -> bool {
    let (name, zone) = (name.to_ascii_lowercase(), zone.to_ascii_lowercase());
    zone == "." || name == zone || name.strip_suffix(&zone).is_some_and(is_absolute)
}

/// The zone that a file's name means, absolute and in lower case: `@` stands for a slash,
/// `ROOT_ZONE` for the root.
pub(super) fn of_file(file: &str) -> String {
    if file == "ROOT_ZONE" {
        return ".".to_owned();
    }
    let name = file.replace('@', "/").to_ascii_lowercase();
    if is_absolute(&name) {
        name
    } else {
        format!("{name}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_by_their_origins() {
        let origins = Origins {
            current: "sub.inc.example.org.".to_owned(),
            zone: "example.org.".to_owned(),
            file: "inc.example.org.".to_owned(),
        };
        for (name, absolute) in [
            ("@", "sub.inc.example.org."),
            ("@Z", "example.org."),
            ("@F", "inc.example.org."),
            ("a", "a.sub.inc.example.org."),
            ("a.@Z", "a.example.org."),
            ("a.b.@F", "a.b.inc.example.org."),
            ("a.", "a."),
            (r"a\.", r"a\..sub.inc.example.org."),
            ("*", "*.sub.inc.example.org."),
        ] {
            assert_eq!(origins.absolute(name), absolute, "{name}");
        }
        let root = Origins {
            current: ".".to_owned(),
            ..origins
        };
        assert_eq!(root.absolute("com"), "com.");
    }

    #[test]
    fn files_name_their_zones() {
        assert_eq!(of_file("example.com"), "example.com.");
        assert_eq!(of_file("Example.com."), "example.com.");
        assert_eq!(
            of_file("0@26.2.0.192.in-addr.arpa"),
            "0/26.2.0.192.in-addr.arpa."
        );
        assert_eq!(of_file("ROOT_ZONE"), ".");
        assert!(
            is_within("a.B.c.", "b.C.") && is_within("b.c.", "b.c.") && !is_within("ab.c.", "b.c.")
        );
    }
}
