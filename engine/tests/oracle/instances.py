"""Instances that other people's generators draw, and a generator of our own with everything that an instance may have."""

import random
import tempfile
from pathlib import Path

import pynetgen

# One size of shortage, slack and plenty each: units, links, load.
SHAPES = [(20, 6, 0.6), (60, 10, 0.9), (60, 10, 1.2), (300, 20, 0.8), (1000, 40, 0.95), (3000, 60, 0.85)]
# Sizes after the families of LEMON's benchmark (Kovacs 2015): 2^k nodes, eight arcs for each, a square root of the nodes as
# sources and as many sinks, costs up to 10,000, capacities up to 1,000, a supply of 1,000 for each source.
NETGEN_SIZES = [8, 9, 10, 11]
NETGEN_SEED = 13502460
# Grid networks with long paths: rows, columns. Where there are not more columns than rows, the generator lets the source
# feed the sink directly, and nothing is left to find.
GRIDS = [(8, 32), (12, 24)]


def empty(value=0.02):
    """An instance without anything in it."""
    return {"version": 1, "slot_seconds": 300, "value_cny_per_gbps_ms_slot": value,
            "links": [], "sites": [], "regions": [], "meters": [], "units": []}


def transport(seed, sources, sinks, load, piecewise=True):
    """A random problem with incumbents and a limited region; with watermarks, floors and contracts if `piecewise`."""
    draw = random.Random(seed)
    instance = empty()
    if seed % 2:
        instance["move_cost_ms"] = 15.0
    links, meters = instance["links"], instance["meters"]
    demand = [round(draw.lognormvariate(3, 1), 2) for _ in range(sources)]
    sizes = [draw.lognormvariate(0, 0.7) for _ in range(sinks)]
    scale = sum(demand) / load / sum(sizes)
    for sink, size in enumerate(sizes):
        capacity = round(scale * size, 2)
        instance["sites"].append({"id": f"s{sink}", "region": f"r{sink % 3}", "capacity_mbps": capacity})
        for port in range(2):
            meter = f"m{sink}" if sink % 5 or not piecewise else f"across{port}"
            link = {"id": f"l{sink}.{port}", "site": f"s{sink}", "meter": meter,
                    "capacity_mbps": round(capacity * 0.7, 2)}
            mark = round(capacity * draw.choice([0.5, 0.6, 0.7]), 2)
            links.append(link | {"watermark_mbps": mark} if piecewise else link)
        models = ["flat", "month-95", "per-gb"] if piecewise else ["flat", "per-gb"]
        if sink % 5 or not piecewise:
            meters.append({"id": f"m{sink}", "model": draw.choice(models),
                           "price_cny_per_mbps": round(draw.uniform(0, 0.002), 6),
                           "price_cny_per_gb": round(draw.uniform(0, 0.02), 6),
                           "free_below_mbps": round(capacity * draw.uniform(0, 1), 2)})
    for port in range(2 if piecewise else 0):
        meters.append({"id": f"across{port}", "model": "daily-peak-mean", "price_cny_per_mbps": 0.001,
                       "free_below_mbps": round(0.05 * sum(demand), 2)})
    mine = sum(site["capacity_mbps"] for site in instance["sites"][::3])
    region = {"id": "r0", "capacity_mbps": round(0.95 * mine, 2)}
    instance["regions"].append(region | {"watermark_mbps": round(0.8 * mine, 2)} if piecewise else region)
    for source, mbps in enumerate(demand):
        chosen = sorted(draw.sample(range(len(links)), min(len(links), 8)))
        now = draw.sample(chosen, 2)
        unit = {"area": f"a{source}", "service": "live", "mbps": mbps,
                "incumbent": sorted([[now[0], 0.75], [now[1], 0.25]]) if source % 3 else [],
                "cand": [[link, round(draw.uniform(5, 120), 2)] for link in chosen]}
        instance["units"].append(unit | {"floor_ms": draw.choice([40, 80, 200])} if piecewise else unit)
    return instance


def asking(seed, instance):
    """The instance with requests, few or many per Mbps, and limits on them at most sites."""
    draw = random.Random(seed)
    for unit in instance["units"]:
        unit["rps"] = round(unit["mbps"] * draw.choice([0, 1, 8, 60]), 2)
    usual = sum(unit["rps"] for unit in instance["units"]) / sum(site["capacity_mbps"] for site in instance["sites"])
    for site in instance["sites"]:
        if draw.random() < 0.8:
            site["capacity_rps"] = round(usual * site["capacity_mbps"] * draw.uniform(0.8, 2), 1)
    return instance


def netgen(power):
    """A minimum-cost-flow problem of NETGEN: (supplies by node, arcs)."""
    nodes = 2 ** power
    ends = round(nodes ** 0.5)
    return generated(pynetgen.netgen_generate, seed=NETGEN_SEED + power, nodes=nodes, sources=ends, sinks=ends,
                     density=8 * nodes, mincost=1, maxcost=10000, supply=1000 * ends, mincap=1, maxcap=1000)


def grid(rows, columns):
    """A minimum-cost-flow problem on a grid: (supplies by node, arcs)."""
    return generated(pynetgen.grid_generate, seed=NETGEN_SEED, rows=rows, columns=columns, skeleton=2, diagonal=1,
                     reverse=1, mincost=1, maxcost=10000, supply=4000, mincap=500, maxcap=4000)


def generated(generate, **options):
    """What a generator writes in DIMACS form, read back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.min"
        generate(fname=str(path), **options)
        lines = [line.split() for line in path.read_text().splitlines()]
    supply = {int(fields[1]): int(fields[2]) for fields in lines if fields[:1] == ["n"]}
    arcs = [tuple(int(field) for field in fields[1:6]) for fields in lines if fields[:1] == ["a"]]
    total = sum(amount for amount in supply.values() if amount > 0)
    # No arc need carry more than all there is.
    return supply, [(tail, head, min(most, total), cost) for tail, head, least, most, cost in arcs if not least]


def as_instance(supply, arcs):
    """A minimum-cost-flow problem as an instance with the same optimum (Wagner 1959: every one is a transportation problem).

    An arc is a unit of its capacity that is served at its head, for its cost, or stays at its tail, for nothing. A node is
    a link that takes exactly what its arcs could carry away less its supply; as everything fits, everything is full.
    """
    instance = empty(1.0)
    instance["meters"].append({"id": "m", "model": "flat"})
    nodes = sorted({node for arc in arcs for node in arc[:2]} | set(supply))
    index = {node: at for at, node in enumerate(nodes)}
    room = {node: -supply.get(node, 0) for node in nodes}
    for at, (tail, head, most, cost) in enumerate(arcs):
        room[tail] += most
        cand = [[index[tail], 0]] if tail == head else sorted([[index[tail], 0], [index[head], cost]])
        instance["units"].append({"area": f"arc{at}", "service": "flow", "mbps": most, "cand": cand})
    for node in nodes:
        if room[node] < 0:
            raise ValueError(f"node {node} supplies more than its arcs carry: there is no flow")
        instance["links"].append({"id": f"n{node}", "site": f"n{node}", "capacity_mbps": room[node], "meter": "m"})
        instance["sites"].append({"id": f"n{node}", "region": "all", "capacity_mbps": room[node]})
    return instance
