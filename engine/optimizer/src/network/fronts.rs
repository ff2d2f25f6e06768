//! The arcs of each unit in the order of their price, the cheapest few of them its front.

use crate::network::arcs::{Network, as_u32};
use crate::threads::both;

impl Network {
    /// Puts the arcs of each unit in the order of their price, the unserved arc still last, and
    /// makes the first `front` links its front. Arcs to the same link stay together. Returns which
    /// arc each unit arc was. Rough costs are lost.
    pub(crate) fn sort_by_price(
        &mut self,
        potential: &[i128],
        front: usize,
        threads: usize,
    ) -> Vec<u32> {
        self.rough = None;
        let (units, arcs) = (self.demand.len(), self.unit_arc_count());
        let mut order: Vec<u32> = vec![0; arcs];
        self.front_end.clear();
        self.front_end.resize(units, 0);
        let all = Stretch {
            first_unit: 0,
            starts: &self.unit_arcs,
            head: &mut self.head[..arcs],
            capacity: &mut self.capacity[..arcs],
            cost: &mut self.cost[..arcs],
            order: &mut order,
            front_end: &mut self.front_end,
        };
        let (left, right) = all.split_at(units / 2);
        both(
            threads,
            || left.sort(potential, front),
            || right.sort(potential, front),
        );
        order
    }
}

/// The arcs of some consecutive units, to be sorted.
struct Stretch<'a> {
    first_unit: usize,
    /// `[unit]` of the whole network -> first of its arcs.
    starts: &'a [u32],
    head: &'a mut [u32],
    capacity: &'a mut [i64],
    cost: &'a mut [i128],
    order: &'a mut [u32],
    front_end: &'a mut [u32],
}

impl<'a> Stretch<'a> {
    /// The units before `unit` of the whole network, and those from it on.
    fn split_at(self, unit: usize) -> (Self, Self) {
        let first_arc = self.starts[self.first_unit];
        let arcs = (self.starts[unit] - first_arc) as usize;
        let units = unit - self.first_unit;
        fn cut<T>(slice: &mut [T], at: usize) -> (&mut [T], &mut [T]) {
            slice.split_at_mut(at)
        }
        let (head, head_after) = cut(self.head, arcs);
        let (capacity, capacity_after) = cut(self.capacity, arcs);
        let (cost, cost_after) = cut(self.cost, arcs);
        let (order, order_after) = cut(self.order, arcs);
        let (front_end, front_end_after) = cut(self.front_end, units);
        let before = Stretch {
            first_unit: self.first_unit,
            starts: self.starts,
            head,
            capacity,
            cost,
            order,
            front_end,
        };
        let after = Stretch {
            first_unit: unit,
            starts: self.starts,
            head: head_after,
            capacity: capacity_after,
            cost: cost_after,
            order: order_after,
            front_end: front_end_after,
        };
        (before, after)
    }

    fn sort(self, potential: &[i128], front: usize) {
        let base = self.starts[self.first_unit] as usize;
        let mut groups: Vec<(i128, usize, usize)> = Vec::new();
        let mut sorted: Vec<(u32, i64, i128)> = Vec::new();
        for (index, front_end) in self.front_end.iter_mut().enumerate() {
            let unit = self.first_unit + index;
            let start = self.starts[unit] as usize - base;
            let last = self.starts[unit + 1] as usize - base - 1;
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
                self.order[place] = as_u32(base + old);
                sorted.push((self.head[old], self.capacity[old], self.cost[old]));
            }
            self.order[last] = as_u32(base + last);
            let ahead: usize = groups.iter().take(front).map(|g| g.2 - g.1).sum();
            *front_end = as_u32(base + start + ahead);
            for (arc, &(head, capacity, cost)) in (start..last).zip(&sorted) {
                self.head[arc] = head;
                self.capacity[arc] = capacity;
                self.cost[arc] = cost;
            }
        }
    }
}
