//! The spanning tree of a basis, with leaf units left out of the lists.
//!
//! Nearly all units are leaves that hang from one link. Storing them as children would make every
//! change of a link's price touch hundreds of nodes, so a unit enters its parent's child list only
//! while it has children itself, that is while it is split. A leaf's depth and potential follow
//! from its parent when they are asked for. A pivot thus costs O(hubs moved), not O(units moved).

use crate::network::numbers::{NONE, as_u32};

/// Part of a node that a walk needs, in half a cache line.
#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    /// Arcs to the root; stale for leaf units.
    depth: u32,
    first_child: u32,
    next: u32,
    prev: u32,
    /// True when it stands in its parent's child list.
    listed: bool,
}

/// Parents, predecessor arcs and child lists. Node 0 is the root.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// Nodes below this index are hubs, the others units.
    hubs: u32,
    nodes: Vec<Node>,
    /// `[node]` -> tree arc to the parent, in either direction.
    pub(crate) pred: Vec<u32>,
    /// Scratch of [`Self::rehang`] and [`Self::below`].
    stack: Vec<u32>,
}

impl Tree {
    /// A tree of `nodes` nodes in which nothing is attached yet.
    pub(crate) fn new(hubs: usize, nodes: usize) -> Self {
        let node = Node {
            parent: NONE,
            depth: 0,
            first_child: NONE,
            next: NONE,
            prev: NONE,
            listed: false,
        };
        Self {
            hubs: as_u32(hubs),
            nodes: vec![node; nodes],
            pred: vec![NONE; nodes],
            stack: Vec::new(),
        }
    }

    /// Parent of `node`; [`NONE`] for the root.
    pub(crate) fn parent(&self, node: u32) -> u32 {
        self.nodes[node as usize].parent
    }

    /// All nodes that are attached, and the root, each after its parent. Depths must be fresh.
    /// O(nodes * log(nodes)).
    pub(crate) fn downwards(&self) -> Vec<u32> {
        let attached = |&node: &u32| node == 0 || self.parent(node) != NONE;
        let mut nodes: Vec<u32> = (0..as_u32(self.nodes.len())).filter(attached).collect();
        nodes.sort_by_key(|&node| self.depth_of(node));
        nodes
    }

    /// Arcs from `node` to the root.
    pub(crate) fn depth_of(&self, node: u32) -> u32 {
        let at = node as usize;
        if node < self.hubs || self.nodes[at].listed {
            self.nodes[at].depth
        } else {
            self.nodes[self.nodes[at].parent as usize].depth + 1
        }
    }

    /// Hangs `node` under `parent` by `arc`. Depths below `node` become stale.
    pub(crate) fn attach(&mut self, node: u32, parent: u32, arc: u32) {
        let at = node as usize;
        self.nodes[at].parent = parent;
        self.pred[at] = arc;
        if node < self.hubs || self.nodes[at].first_child != NONE {
            self.list(node);
        }
    }

    /// Turns the path `from` .. `top` over, so that `from` hangs under `parent` by `arc`.
    ///
    /// `top` loses its tree arc; `from` lies in the subtree of `top`. Depths below become stale.
    pub(crate) fn rehang(&mut self, from: u32, top: u32, parent: u32, arc: u32) {
        if from == top && from >= self.hubs && !self.nodes[from as usize].listed {
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
            node = self.nodes[node as usize].parent;
        }
        for &node in &stem {
            if self.nodes[node as usize].listed {
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

    /// Calls `visit(tree, node)` for `node` and all listed nodes below it, parents first, with
    /// fresh depths. A leaf unit has nothing to refresh and is skipped.
    pub(crate) fn below(&mut self, node: u32, mut visit: impl FnMut(&Self, u32)) {
        if node >= self.hubs && !self.nodes[node as usize].listed {
            return;
        }
        let mut stack = std::mem::take(&mut self.stack);
        stack.clear();
        stack.push(node);
        while let Some(node) = stack.pop() {
            let at = node as usize;
            // Whatever has a listed child is listed itself, so the parent's depth is stored.
            if self.nodes[at].parent != NONE {
                self.nodes[at].depth = self.nodes[self.nodes[at].parent as usize].depth + 1;
            }
            visit(self, node);
            let mut child = self.nodes[at].first_child;
            while child != NONE {
                stack.push(child);
                child = self.nodes[child as usize].next;
            }
        }
        self.stack = stack;
    }

    /// Puts `node` into its parent's child list, and the parent into its own if it was a leaf.
    fn list(&mut self, node: u32) {
        let at = node as usize;
        debug_assert!(!self.nodes[at].listed);
        let parent = self.nodes[at].parent;
        let above = parent as usize;
        let first = self.nodes[above].first_child;
        self.nodes[at].next = first;
        self.nodes[at].prev = NONE;
        if first != NONE {
            self.nodes[first as usize].prev = node;
        }
        self.nodes[above].first_child = node;
        self.nodes[at].listed = true;
        self.nodes[at].depth = self.depth_of(parent) + 1;
        if parent >= self.hubs && !self.nodes[above].listed {
            self.list(parent);
        }
    }

    /// Takes `node` out of its parent's child list, and the parent out of its own if it is a unit
    /// that becomes a leaf.
    fn unlist(&mut self, node: u32) {
        let at = node as usize;
        let parent = self.nodes[at].parent;
        let above = parent as usize;
        let (prev, next) = (self.nodes[at].prev, self.nodes[at].next);
        if prev == NONE {
            self.nodes[above].first_child = next;
        } else {
            self.nodes[prev as usize].next = next;
        }
        if next != NONE {
            self.nodes[next as usize].prev = prev;
        }
        self.nodes[at].listed = false;
        if parent >= self.hubs && self.nodes[above].first_child == NONE && self.nodes[above].listed
        {
            self.unlist(parent);
        }
    }
}
