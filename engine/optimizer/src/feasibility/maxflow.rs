//! Dinic's maximum flow on the demand network, on integers.
//!
//! Rounds of breadth-first levels and depth-first blocking flow (Dinic 1970). The network is
//! shallow (unit, link, site), so a few rounds do.

use crate::network::numbers::as_u32;

/// A flow network under construction or in use.
#[derive(Debug, Clone)]
pub(crate) struct FlowGraph {
    /// `[arc]` -> node it enters; arc `a ^ 1` is the way back.
    head: Vec<u32>,
    /// `[node]` -> first entry in `arcs`, one more at the end.
    first: Vec<u32>,
    /// Arcs by the node they leave.
    arcs: Vec<u32>,
    nodes: usize,
}

/// One run's residual capacities and levels.
#[derive(Debug, Clone)]
pub(crate) struct FlowRun {
    /// `[arc]` -> quanta that can still pass.
    pub(crate) residual: Vec<i64>,
    /// `[node]` -> distance from the source in the last round, `UNREACHED` beyond the cut.
    level: Vec<u32>,
    next: Vec<u32>,
    queue: Vec<u32>,
}

/// Level of a node that the source cannot reach any more.
const UNREACHED: u32 = u32::MAX;

impl FlowGraph {
    /// A graph of `nodes` nodes with arc `2 i` from `ends[i].0` to `ends[i].1`.
    pub(crate) fn new(nodes: usize, ends: &[(u32, u32)]) -> Self {
        let mut first = vec![0_u32; nodes + 1];
        for &(tail, head) in ends {
            first[tail as usize + 1] += 1;
            first[head as usize + 1] += 1;
        }
        for node in 0..nodes {
            first[node + 1] += first[node];
        }
        let mut place = first.clone();
        let mut arcs = vec![0; ends.len() * 2];
        let mut heads = Vec::with_capacity(ends.len() * 2);
        for (index, &(tail, head)) in ends.iter().enumerate() {
            heads.push(head);
            heads.push(tail);
            for (node, arc) in [(tail, 2 * index), (head, 2 * index + 1)] {
                let slot = &mut place[node as usize];
                arcs[*slot as usize] = as_u32(arc);
                *slot += 1;
            }
        }
        Self {
            head: heads,
            first,
            arcs,
            nodes,
        }
    }

    /// Number of arcs, ways back included.
    pub(crate) fn arc_count(&self) -> usize {
        self.head.len()
    }

    /// Sends as much as possible from `source` to `sink`; `residual` starts with the capacities.
    /// Returns the amount in quanta.
    pub(crate) fn run(&self, residual: Vec<i64>, source: u32, sink: u32) -> (i64, FlowRun) {
        let mut run = FlowRun {
            residual,
            level: vec![UNREACHED; self.nodes],
            next: vec![0; self.nodes],
            queue: Vec::with_capacity(self.nodes),
        };
        let mut total = 0;
        while self.levels(&mut run, source, sink) {
            run.next.copy_from_slice(&self.first[..self.nodes]);
            loop {
                let sent = self.augment(&mut run, source, sink);
                if sent == 0 {
                    break;
                }
                total += sent;
            }
        }
        (total, run)
    }

    /// Breadth-first distances; whether the sink is reached.
    fn levels(&self, run: &mut FlowRun, source: u32, sink: u32) -> bool {
        run.level.fill(UNREACHED);
        run.queue.clear();
        run.queue.push(source);
        run.level[source as usize] = 0;
        let mut at = 0;
        while at < run.queue.len() {
            let node = run.queue[at] as usize;
            at += 1;
            for &arc in &self.arcs[self.first[node] as usize..self.first[node + 1] as usize] {
                let head = self.head[arc as usize];
                if run.residual[arc as usize] > 0 && run.level[head as usize] == UNREACHED {
                    run.level[head as usize] = run.level[node] + 1;
                    run.queue.push(head);
                }
            }
        }
        run.level[sink as usize] != UNREACHED
    }

    /// One path of the blocking flow; 0 when there is none left. `queue` holds the path's arcs.
    fn augment(&self, run: &mut FlowRun, source: u32, sink: u32) -> i64 {
        run.queue.clear();
        let mut node = source;
        while node != sink {
            if let Some(arc) = self.advance(run, node) {
                run.queue.push(arc);
                node = self.head[arc as usize];
                continue;
            }
            // A dead end: step back and never enter it again in this round.
            let Some(arc) = run.queue.pop() else { return 0 };
            node = self.head[(arc ^ 1) as usize];
            run.next[node as usize] += 1;
        }
        let sent = run
            .queue
            .iter()
            .map(|&arc| run.residual[arc as usize])
            .min()
            .unwrap_or(0);
        for &arc in &run.queue {
            run.residual[arc as usize] -= sent;
            run.residual[(arc ^ 1) as usize] += sent;
        }
        sent
    }

    /// The next usable arc of `node` that goes one level on.
    fn advance(&self, run: &mut FlowRun, node: u32) -> Option<u32> {
        let at = node as usize;
        while run.next[at] < self.first[at + 1] {
            let arc = self.arcs[run.next[at] as usize];
            let head = self.head[arc as usize] as usize;
            if run.residual[arc as usize] > 0 && run.level[head] == run.level[at].wrapping_add(1) {
                return Some(arc);
            }
            run.next[at] += 1;
        }
        None
    }
}

impl FlowRun {
    /// Tells whether `node` is on the source's side of the minimum cut.
    pub(crate) fn on_source_side(&self, node: u32) -> bool {
        self.level[node as usize] != UNREACHED
    }
}
