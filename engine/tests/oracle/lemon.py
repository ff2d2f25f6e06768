"""The optimum by LEMON's network simplex (PyPI `pylmcf`), in integers: exact where it applies."""

from fractions import Fraction

import numpy as np
import pylmcf

# Amounts are multiples of this many Mbps, costs of this many CNY per Mbps: all that `instances.transport` draws is.
MBPS = Fraction(1, 400)
CNY = Fraction(1, 400_000_000)


def exact(value, quantum, what):
    """`value`, a decimal number as it is written, in quanta."""
    quanta = (value if isinstance(value, Fraction) else Fraction(str(value))) / quantum
    if quanta.denominator != 1:
        raise ValueError(f"{what} {value} is no multiple of {quantum}")
    return quanta.numerator


class Network:
    """Arcs with capacity and cost, and supplies."""

    def __init__(self):
        self.arcs, self.supply = [], []

    def node(self, supply=0):
        self.supply.append(supply)
        return len(self.supply) - 1

    def arc(self, tail, head, capacity, cost=0):
        self.arcs.append((tail, head, capacity, cost))

    def solve(self):
        """Flow by arc, in the order in which LEMON has them, and its cost."""
        # LEMON has arcs by tail and head; given in that order they stay there.
        self.arcs.sort()
        column = [np.array(column, dtype=np.int64) for column in zip(*self.arcs)]
        graph = pylmcf.Graph(len(self.supply), column[0], column[1])
        graph.set_node_supply(np.array(self.supply, dtype=np.int64))
        graph.set_edge_capacities(column[2])
        graph.set_edge_costs(column[3])
        graph.solve()
        flow = [int(amount) for amount in graph.result()]
        return flow, sum(amount * arc[3] for amount, arc in zip(flow, self.arcs))


def flow_cost(supply, arcs):
    """Cost of a minimum-cost flow given as (supplies by node, arcs)."""
    network = Network()
    nodes = sorted({node for arc in arcs for node in arc[:2]} | set(supply))
    index = {node: network.node(supply.get(node, 0)) for node in nodes}
    for tail, head, most, cost in arcs:
        network.arc(index[tail], index[head], most, cost)
    return network.solve()[1]


def applies(instance):
    """Whether levels 1 and 4 are all there is: no soft limit, no floor, no price that begins above a level."""
    limits = [row for kind in ("links", "sites", "regions") for row in instance.get(kind, [])]
    return (not any("watermark_mbps" in row for row in limits)
            and not any("floor_ms" in unit for unit in instance["units"])
            and all(meter["model"] in ("flat", "per-gb") for meter in instance["meters"]))


def optima(instance):
    """Unserved Mbps and CNY: the least that is turned away, then the least cost with no more turned away."""
    turned_away = unserved(instance)
    cost = network(instance, turned_away, 0, True).solve()[1]
    return float(turned_away * MBPS), float(cost * MBPS * CNY)


def unserved(instance):
    """The least that any plan turns away, in quanta: a maximum flow, which soft limits, floors and prices do not touch."""
    demand = sum(exact(unit["mbps"], MBPS, "demand") for unit in instance["units"])
    return network(instance, demand, 1, False).solve()[1]


def network(instance, reject, unserved_cost, with_costs):
    """Units -> links -> sites -> regions -> sink, and a way round for at most `reject`."""
    net = Network()
    demand = [exact(unit["mbps"], MBPS, "demand") for unit in instance["units"]]
    sink, away = net.node(-sum(demand)), net.node()
    net.arc(away, sink, reject, unserved_cost)

    def rows(kind, parent):
        nodes = {}
        for row in instance.get(kind, []):
            nodes[row["id"]] = net.node()
            net.arc(nodes[row["id"]], parent(row), exact(row["capacity_mbps"], MBPS, "capacity"))
        return nodes

    regions = rows("regions", lambda row: sink)
    sites = rows("sites", lambda row: regions.get(row["region"], sink))
    links = rows("links", lambda row: sites[row["site"]])
    volume = Fraction(instance.get("slot_seconds", 300), 8000)
    price = {meter["id"]: Fraction(str(meter["price_cny_per_gb"])) * volume if meter["model"] == "per-gb" else 0
             for meter in instance["meters"]}
    value = Fraction(str(instance["value_cny_per_gbps_ms_slot"])) / 1000
    for unit, amount in zip(instance["units"], demand):
        node = net.node(amount)
        net.arc(node, away, amount)
        stays = {}
        for link, share in unit.get("incumbent", []):
            stays[link] = stays.get(link, 0) + Fraction(str(share))
        moving = Fraction(str(instance.get("move_cost_ms", 0))) if stays else 0
        for link, quality in unit["cand"]:
            port = instance["links"][link]
            cost = extra = 0
            if with_costs:
                cny = Fraction(str(quality)) * value + price[port["meter"]]
                cost = exact(cny, CNY, "cost")
                extra = exact(moving * value, CNY, "cost of moving")
            net.arc(node, links[port["id"]], amount, cost + extra)
            if link in stays and extra:
                net.arc(node, links[port["id"]], exact(stays[link] * unit_mbps(unit), MBPS, "incumbent"), cost)
    return net


def unit_mbps(unit):
    """Demand of a unit as it is written."""
    return Fraction(str(unit["mbps"]))
