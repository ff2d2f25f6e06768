//! A network cut out of a larger one: some of its units, all of its hubs.

use crate::network::arcs::Network;
use crate::network::numbers::as_u32;

/// The network cut out, and where its arcs come from.
pub(crate) struct Extract {
    pub(crate) net: Network,
    /// `[arc]` -> arc of the larger network.
    pub(crate) arcs: Vec<u32>,
}

impl Extract {
    /// Cuts out `units` with their demands. `capacity` is what an arc of `whole` has here, and 0
    /// leaves it out; the unserved arc of a unit has to stay. Hubs keep their indices, and fronts
    /// what is left of them.
    pub(crate) fn of(
        whole: &Network,
        units: &[(usize, i64)],
        capacity: impl Fn(usize) -> i64,
    ) -> Self {
        let hubs = whole.hubs.len();
        let rps = |&(unit, _): &(usize, i64)| whole.rps_per_mbps.get(unit).copied();
        let net = Network {
            hubs: whole.hubs.clone(),
            tail: Vec::new(),
            head: Vec::new(),
            capacity: Vec::new(),
            cost: Vec::new(),
            unit_arcs: vec![0],
            front_end: Vec::new(),
            demand: units.iter().map(|unit| unit.1).collect(),
            link_hub: whole.link_hub.clone(),
            link_of_hub: whole.link_of_hub.clone(),
            site_hub: whole.site_hub.clone(),
            region_hub: whole.region_hub.clone(),
            contracts: whole.contracts.clone(),
            rps_per_mbps: units.iter().filter_map(rps).collect(),
            request_cny: whole.request_cny.clone(),
            scale: whole.scale,
        };
        let mut extract = Self {
            net,
            arcs: Vec::new(),
        };
        for (index, &(unit, _)) in units.iter().enumerate() {
            let front = whole.front_of_unit(unit);
            let tail = as_u32(hubs + index);
            extract.take(whole, front.clone(), &capacity, Some(tail));
            if !whole.front_end.is_empty() {
                extract.net.front_end.push(as_u32(extract.arcs.len()));
            }
            let rest = front.end..whole.arcs_of_unit(unit).end;
            extract.take(whole, rest, &capacity, Some(tail));
            extract.net.unit_arcs.push(as_u32(extract.arcs.len()));
        }
        for index in 0..hubs {
            let hub = whole.hubs[index];
            let first = extract.arcs.len();
            let steps = hub.first_arc as usize..hub.end_arc as usize;
            extract.take(whole, steps, &capacity, None);
            extract.net.hubs[index].first_arc = as_u32(first);
            extract.net.hubs[index].end_arc = as_u32(extract.arcs.len());
        }
        extract
    }

    /// Takes arcs over; `tail` where they leave a unit.
    fn take(
        &mut self,
        whole: &Network,
        arcs: std::ops::Range<usize>,
        capacity: impl Fn(usize) -> i64,
        tail: Option<u32>,
    ) {
        for arc in arcs {
            let capacity = capacity(arc);
            if capacity > 0 {
                let tail = tail.unwrap_or(whole.tail[arc]);
                self.net
                    .push_arc(tail, whole.head[arc], capacity, whole.cost[arc]);
                self.arcs.push(as_u32(arc));
            }
        }
    }
}
