//! The arcs of each unit in the order of their price, the cheapest few of them its front.

use crate::network::arcs::Network;
use crate::network::numbers::as_u32;

impl Network {
    /// Puts the arcs of each unit in the order of their price, the unserved arc still last, and
    /// makes the first `front` links its front. Arcs to the same link stay together. Returns which
    /// arc each unit arc was. Rough costs that were taken before are out of order after it.
    pub(crate) fn sort_by_price(&mut self, potential: &[i128], front: usize) -> Vec<u32> {
        let mut order: Vec<u32> = vec![0; self.unit_arc_count()];
        let mut groups: Vec<(i128, usize, usize)> = Vec::new();
        let mut sorted: Vec<(u32, i64, i128)> = Vec::new();
        self.front_end.clear();
        for unit in 0..self.demand.len() {
            let range = self.arcs_of_unit(unit);
            let (start, last) = (range.start, range.end - 1);
            groups.clear();
            let mut first = start;
            while first < last {
                let head = self.head[first];
                let mut end = first + 1;
                while end < last && self.head[end] == head {
                    end += 1;
                }
                groups.push((self.cost[first] + potential[head as usize], first, end));
                first = end;
            }
            groups.sort_unstable();
            sorted.clear();
            let by_price = groups.iter().flat_map(|group| group.1..group.2);
            for (place, old) in (start..).zip(by_price) {
                order[place] = as_u32(old);
                sorted.push((self.head[old], self.capacity[old], self.cost[old]));
            }
            order[last] = as_u32(last);
            let ahead: usize = groups.iter().take(front).map(|g| g.2 - g.1).sum();
            self.front_end.push(as_u32(start + ahead));
            for (arc, &(head, capacity, cost)) in (start..last).zip(&sorted) {
                self.head[arc] = head;
                self.capacity[arc] = capacity;
                self.cost[arc] = cost;
            }
        }
        order
    }
}
