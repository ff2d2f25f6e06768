//! The telemetry line: declared once, read by the decoder and written by senders.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One line of telemetry. Names are those of the inventory; `at` is milliseconds since the Unix
/// epoch, by default the time of arrival. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum TelemetryLine<'a> {
    /// Path quality from an area to a site, or to one of its links.
    Quality {
        /// Area name, such as `cn/44/ct`.
        #[serde(borrow)]
        area: Cow<'a, str>,
        /// Site name.
        #[serde(borrow)]
        site: Cow<'a, str>,
        /// Link name; absent: all links of the site.
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        link: Option<Cow<'a, str>>,
        /// Round-trip time, ms.
        rtt_ms: f64,
        /// Share of packets lost, 0..=1.
        loss: f64,
        /// Time at which it was measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
    },
    /// State of one node.
    Node {
        /// Node name.
        #[serde(borrow)]
        node: Cow<'a, str>,
        /// True when it can serve.
        healthy: bool,
        /// Share of its capacity in use; above 1 is overload.
        load: f64,
        /// Traffic it serves, Mbps.
        mbps: f64,
        /// Time at which it was measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
    },
    /// Traffic of one service in one group.
    Group {
        /// Group name.
        #[serde(borrow)]
        group: Cow<'a, str>,
        /// Service name.
        #[serde(borrow)]
        service: Cow<'a, str>,
        /// Traffic, Mbps.
        mbps: f64,
        /// Time at which it was measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
    },
    /// Traffic through one link.
    Link {
        /// Link name.
        #[serde(borrow)]
        link: Cow<'a, str>,
        /// Traffic, Mbps.
        mbps: f64,
        /// Time at which it was measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
    },
    /// Verdict of a check on an address, after its thresholds.
    Check {
        /// Check name.
        #[serde(borrow)]
        check: Cow<'a, str>,
        /// The address.
        #[serde(borrow)]
        address: Cow<'a, str>,
        /// True when it may serve.
        up: bool,
        /// Time at which it was found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
    },
    /// Traffic that clients want. Exactly one of `area` and `client` says where they are.
    Demand {
        /// Area name.
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        area: Option<Cow<'a, str>>,
        /// Client address or prefix, such as `198.51.100.0/24`.
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        client: Option<Cow<'a, str>>,
        /// Service name.
        #[serde(borrow)]
        service: Cow<'a, str>,
        /// Traffic, Mbps.
        mbps: f64,
        /// Requests per second; absent where they are not counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rps: Option<f64>,
        /// Time at which it was measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
    },
}

impl TelemetryLine<'_> {
    /// Time at which the sample was taken, if the line says so; ms since the Unix epoch.
    #[must_use]
    pub const fn at(&self) -> Option<u64> {
        match self {
            Self::Quality { at, .. }
            | Self::Node { at, .. }
            | Self::Group { at, .. }
            | Self::Link { at, .. }
            | Self::Check { at, .. }
            | Self::Demand { at, .. } => *at,
        }
    }
}

/// Reason why a line could not be written.
#[derive(Debug, thiserror::Error)]
#[error("telemetry line does not encode: {0}")]
pub struct EncodeError(#[from] serde_json::Error);

/// Appends one line, with its line feed, to `out`. JSON has no infinity and no NaN: they are
/// written as `null`, which a reader refuses.
///
/// # Errors
/// [`EncodeError`] when the line cannot be written; `out` may then end in a partial line.
pub fn encode_line(line: &TelemetryLine<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    serde_json::to_writer(&mut *out, line)?;
    out.push(b'\n');
    Ok(())
}
