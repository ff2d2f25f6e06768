//! The spanning tree of a basis, with leaf units left out of the lists.
//!
//! Nearly all units are leaves that hang from one link. Storing them as children would make every
//! change of a link's price touch hundreds of nodes, so a unit enters its parent's child list only
//! while it has children itself, that is while it is split. A leaf's depth and potential follow from
//! its parent when they are asked for. A pivot thus costs O(hubs moved), not O(units moved).

use super::network::as_u32;

/// No node, no arc.
pub(super) const NONE: u32 = u32::MAX;

/// Parents, predecessor arcs and child lists. Node 0 is the root.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Nodes below this index are hubs, the others units.
    hubs: u32,
    /// `[node]` -> parent node.
    pub(super) parent: Vec<u32>,
    /// `[node]` -> tree arc to the parent, in either direction.
    pub(super) pred: Vec<u32>,
    /// `[node]` -> arcs to the root; stale for leaf units.
    depth: Vec<u32>,
    first_child: Vec<u32>,
    next: Vec<u32>,
    prev: Vec<u32>,
    /// `[node]` -> whether it stands in its parent's child list.
    listed: Vec<bool>,
    /// Scratch of [`Self::rehang`] and [`Self::below`].
    stack: Vec<u32>,
}

impl Tree {
    /// A tree of `nodes` nodes in which nothing is attached yet.
    pub(super) fn new(hubs: usize, nodes: usize) -> Self {
        Self {
            hubs: as_u32(hubs),
            parent: vec![NONE; nodes],
            pred: vec![NONE; nodes],
            depth: vec![0; nodes],
            first_child: vec![NONE; nodes],
            next: vec![NONE; nodes],
            prev: vec![NONE; nodes],
            listed: vec![false; nodes],
            stack: Vec::new(),
        }
    }

    /// Arcs from `node` to the root.
    pub(super) fn depth_of(&self, node: u32) -> u32 {
        let at = node as usize;
        if node < self.hubs || self.listed[at] {
            self.depth[at]
        } else {
            self.depth[self.parent[at] as usize] + 1
        }
    }

    /// Hangs `node` under `parent` by `arc`. Depths below `node` become stale.
    pub(super) fn attach(&mut self, node: u32, parent: u32, arc: u32) {
        let at = node as usize;
        self.parent[at] = parent;
        self.pred[at] = arc;
        if node < self.hubs || self.first_child[at] != NONE {
            self.list(node);
        }
    }

    /// Turns the path `from` .. `top` over, so that `from` hangs under `parent` by `arc`.
    ///
    /// `top` loses its tree arc; `from` lies in the subtree of `top`. Depths below become stale.
    pub(super) fn rehang(&mut self, from: u32, top: u32, parent: u32, arc: u32) {
        if from == top && from >= self.hubs && !self.listed[from as usize] {
            self.attach(from, parent, arc);
            return;
        }
        let mut stem = std::mem::take(&mut self.stack);
        stem.clear();
        let mut node = from;
        loop {
            stem.push(node);
            if node == top {
                break;
            }
            node = self.parent[node as usize];
        }
        for &node in &stem {
            if self.listed[node as usize] {
                self.unlist(node);
            }
        }
        let (mut parent, mut arc) = (parent, arc);
        for &node in &stem {
            let old_arc = self.pred[node as usize];
            self.attach(node, parent, arc);
            (parent, arc) = (node, old_arc);
        }
        self.stack = stem;
    }

    /// Calls `visit(tree, node)` for `node` and all listed nodes below it, parents first, with fresh
    /// depths. A leaf unit has nothing to refresh and is skipped.
    pub(super) fn below(&mut self, node: u32, mut visit: impl FnMut(&Self, u32)) {
        if node >= self.hubs && !self.listed[node as usize] {
            return;
        }
        let mut stack = std::mem::take(&mut self.stack);
        stack.clear();
        stack.push(node);
        while let Some(node) = stack.pop() {
            let at = node as usize;
            if self.parent[at] != NONE {
                self.depth[at] = self.depth_of(self.parent[at]) + 1;
            }
            visit(self, node);
            let mut child = self.first_child[at];
            while child != NONE {
                stack.push(child);
                child = self.next[child as usize];
            }
        }
        self.stack = stack;
    }

    /// Puts `node` into its parent's child list, and the parent into its own if it was a leaf.
    fn list(&mut self, node: u32) {
        let at = node as usize;
        debug_assert!(!self.listed[at]);
        let parent = self.parent[at];
        let above = parent as usize;
        let first = self.first_child[above];
        self.next[at] = first;
        self.prev[at] = NONE;
        if first != NONE {
            self.prev[first as usize] = node;
        }
        self.first_child[above] = node;
        self.listed[at] = true;
        self.depth[at] = self.depth_of(parent) + 1;
        if parent >= self.hubs && !self.listed[above] {
            self.list(parent);
        }
    }

    /// Takes `node` out of its parent's child list, and the parent out of its own if it is a unit
    /// that becomes a leaf.
    fn unlist(&mut self, node: u32) {
        let at = node as usize;
        let parent = self.parent[at];
        let above = parent as usize;
        let (prev, next) = (self.prev[at], self.next[at]);
        if prev == NONE {
            self.first_child[above] = next;
        } else {
            self.next[prev as usize] = next;
        }
        if next != NONE {
            self.prev[next as usize] = prev;
        }
        self.listed[at] = false;
        if parent >= self.hubs && self.first_child[above] == NONE && self.listed[above] {
            self.unlist(parent);
        }
    }
}
