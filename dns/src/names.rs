//! The name index: every name that exists in our zones, empty non-terminals included, and what is
//! known there.
//!
//! A lookup finds the closest encloser, the longest existing ancestor (RFC 4592 section 3.3.1), by
//! hashing one suffix of the name after the other. Suffixes with more labels than any name of the
//! index are passed over, so the work for a hostile name is bounded by the depth of our own zones.

use crate::name::{self, NameHash};
use coverage::ServiceId;
use std::collections::HashMap;

/// The records of one owner and type, ready to be copied behind an owner name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RrSet {
    /// Type code.
    pub rtype: u16,
    /// Each record from TYPE to the end of RDATA, in wire form.
    pub bodies: Vec<Box<[u8]>>,
}

/// Octets of a record body before its RDATA: TYPE, CLASS, TTL, RDLENGTH.
pub(crate) const BODY_FIXED_BYTES: usize = 10;

impl RrSet {
    /// RDATA of the first record: the target of an alias. Empty when there is no record.
    #[must_use]
    pub fn first_rdata(&self) -> &[u8] {
        self.bodies
            .first()
            .and_then(|body| body.get(BODY_FIXED_BYTES..))
            .unwrap_or_default()
    }
}

/// Index of a node in its [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

/// Facts known at one name.
#[derive(Debug)]
pub(crate) struct Node {
    /// Index of the zone that the name belongs to.
    pub zone: usize,
    /// Index of the zone cut at or above this name, when the zone has delegated it.
    pub cut: Option<usize>,
    /// The node of `*.<this name>`.
    pub wildcard: Option<NodeId>,
    /// The service that A and AAAA are tailored for.
    pub service: Option<ServiceId>,
    /// Static records, sorted by type. Empty for an empty non-terminal.
    pub sets: Vec<RrSet>,
}

impl Node {
    /// The static records of one type.
    #[must_use]
    pub(crate) fn set(&self, rtype: u16) -> Option<&RrSet> {
        self.sets.iter().find(|set| set.rtype == rtype)
    }

    /// Tells whether nothing is known here but that names exist below.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.service.is_none()
    }
}

/// Position of a name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'v> {
    /// The name exists.
    Here(&'v Node),
    /// The name does not exist; this is its closest encloser.
    Below(&'v Node),
}

/// The index itself.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ids: HashMap<Box<[u8]>, NodeId, NameHash>,
    nodes: Vec<Node>,
    labels_max: usize,
}

impl Names {
    /// Returns where `name` (lower-cased wire form) lies; `None` when it is in none of our zones.
    #[must_use]
    pub(crate) fn find(&self, name: &[u8]) -> Option<Place<'_>> {
        // Nearly all questions name what exists: try that first.
        if let Some(id) = self.ids.get(name) {
            return self.node(*id).map(Place::Here);
        }
        let beyond = name::labels(name).saturating_sub(self.labels_max).max(1);
        let mut suffixes =
            std::iter::successors(Some(name), |name| name::parent(name)).skip(beyond);
        let id = suffixes.find_map(|suffix| self.ids.get(suffix))?;
        self.node(*id).map(Place::Below)
    }

    /// A node by its id.
    #[must_use]
    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    /// The node of exactly this name.
    #[must_use]
    pub(crate) fn get(&self, name: &[u8]) -> Option<&Node> {
        self.node(*self.ids.get(name)?)
    }

    /// The node of `name`, made if it is new, together with the empty non-terminals between it and
    /// the apex.
    pub(crate) fn entry(&mut self, name: &[u8], zone: usize, apex: &[u8]) -> &mut Node {
        let id = self.insert(name, zone);
        let mut child = name;
        while child != apex {
            let Some(above) = name::parent(child) else {
                break;
            };
            let above_id = self.insert(above, zone);
            if child.starts_with(b"\x01*") {
                self.nodes[above_id.0 as usize].wildcard = self.ids.get(child).copied();
            }
            child = above;
        }
        &mut self.nodes[id.0 as usize]
    }

    fn insert(&mut self, name: &[u8], zone: usize) -> NodeId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        // The record that all names come from is far below 2^32 octets.
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.labels_max = self.labels_max.max(name::labels(name));
        self.ids.insert(name.into(), id);
        self.nodes.push(Node {
            zone,
            cut: None,
            wildcard: None,
            service: None,
            sets: Vec::new(),
        });
        id
    }

    /// All names with their nodes, in no order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&[u8], &mut Node)> {
        let mut names: Vec<(&[u8], NodeId)> =
            self.ids.iter().map(|(name, id)| (&**name, *id)).collect();
        names.sort_unstable_by_key(|(_, id)| id.0);
        names.into_iter().map(|(name, _)| name).zip(&mut self.nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> Box<[u8]> {
        name::from_text(text).unwrap()
    }

    #[test]
    fn empty_non_terminals_and_enclosers_are_found() {
        let mut names = Names::default();
        let apex = wire("example.com");
        names.entry(&apex, 0, &apex);
        names.entry(&wire("a.b.c.example.com"), 0, &apex).service = Some(ServiceId(4));
        names.entry(&wire("*.w.example.com"), 0, &apex);
        assert!(
            matches!(names.find(&wire("b.c.example.com")), Some(Place::Here(node)) if node.is_empty())
        );
        assert!(
            matches!(names.find(&wire("a.b.c.example.com")), Some(Place::Here(node)) if node.service.is_some())
        );
        assert!(
            matches!(names.find(&wire("x.y.z.a.b.c.example.com")), Some(Place::Below(node)) if node.service.is_some())
        );
        assert!(
            matches!(names.find(&wire("x.w.example.com")), Some(Place::Below(node)) if node.wildcard.is_some())
        );
        assert!(names.find(&wire("com")).is_none());
        assert!(names.find(&wire("example.org")).is_none());
        assert!(names.find(b"\0").is_none());
    }

    #[test]
    fn a_name_of_127_labels_is_no_more_work_than_our_own_depth() {
        let mut names = Names::default();
        let apex = wire("z");
        names.entry(&apex, 0, &apex);
        let deep = [&b"\x01a".repeat(125)[..], b"\x01z\0"].concat();
        assert!(matches!(names.find(&deep), Some(Place::Below(_))));
    }
}
