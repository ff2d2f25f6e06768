"""Compares plans with the optima that HiGHS finds, level by level.

usage: compare.py WATERSHED [INSTANCE.json ...]

Beside the files named it makes its own: transportation problems of the kind that NETGEN draws, with watermarks,
floors, contracts and shortage. Every level must agree to 1e-6 of its scale. Exit code 1 when one does not.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import highspy
import numpy as np

TOLERANCE = 1e-6


def transport(seed, sources, sinks, load):
    """A random transportation problem as an instance."""
    draw = random.Random(seed)
    links, sites, meters, units = [], [], [], []
    demand = [round(draw.lognormvariate(3, 1), 2) for _ in range(sources)]
    sizes = [draw.lognormvariate(0, 0.7) for _ in range(sinks)]
    scale = sum(demand) / load / sum(sizes)
    for sink, size in enumerate(sizes):
        capacity = round(scale * size, 2)
        sites.append({"id": f"s{sink}", "region": f"r{sink % 3}", "capacity_mbps": capacity})
        for port in range(2):
            meter = f"m{sink}" if sink % 5 else f"across{port}"
            links.append({"id": f"l{sink}.{port}", "site": f"s{sink}", "meter": meter,
                          "capacity_mbps": round(capacity * 0.7, 2),
                          "watermark_mbps": round(capacity * draw.choice([0.5, 0.6, 0.7]), 2)})
        if sink % 5:
            meters.append({"id": f"m{sink}", "model": draw.choice(["flat", "month-95", "per-gb"]),
                           "price_cny_per_mbps": round(draw.uniform(0, 0.002), 6),
                           "price_cny_per_gb": round(draw.uniform(0, 0.02), 6),
                           "free_below_mbps": round(capacity * draw.uniform(0, 1), 2)})
    for port in range(2):
        meters.append({"id": f"across{port}", "model": "daily-peak-mean", "price_cny_per_mbps": 0.001,
                       "free_below_mbps": round(0.05 * sum(demand), 2)})
    for source, mbps in enumerate(demand):
        chosen = sorted(draw.sample(range(len(links)), min(len(links), 8)))
        units.append({"area": f"a{source}", "service": "live", "mbps": mbps,
                      "floor_ms": draw.choice([40, 80, 200]),
                      "cand": [[link, round(draw.uniform(5, 120), 2)] for link in chosen]})
    return {"version": 1, "slot_seconds": 300, "value_cny_per_gbps_ms_slot": 0.02,
            "links": links, "sites": sites, "meters": meters, "units": units}


class Model:
    """Columns with four costs each, rows with bounds."""

    def __init__(self):
        self.costs, self.upper, self.rows, self.bounds = [], [], [], []

    def row(self, lower, upper):
        self.rows.append([])
        self.bounds.append((lower, upper))
        return len(self.rows) - 1

    def column(self, costs, entries, upper=highspy.kHighsInf):
        index = len(self.costs)
        self.costs.append(costs)
        self.upper.append(upper)
        for row, value in entries:
            self.rows[row].append((index, value))

    def optima(self):
        """The four optima, each under the ones before it."""
        found = []
        for level in range(4):
            best = self.solve(level)
            found.append(best)
            entries = [(index, costs[level]) for index, costs in enumerate(self.costs) if costs[level]]
            self.rows.append(entries)
            self.bounds.append((-highspy.kHighsInf, best + 1e-9 * max(1.0, abs(best))))
        return found

    def solve(self, level):
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.costs), len(self.rows)
        lp.col_cost_ = np.array([costs[level] for costs in self.costs], dtype=np.double)
        lp.col_lower_ = np.zeros(len(self.costs))
        lp.col_upper_ = np.array(self.upper, dtype=np.double)
        lp.row_lower_ = np.array([bounds[0] for bounds in self.bounds], dtype=np.double)
        lp.row_upper_ = np.array([bounds[1] for bounds in self.bounds], dtype=np.double)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0] + [len(row) for row in self.rows]).astype(np.int32)
        lp.a_matrix_.index_ = np.array([entry[0] for row in self.rows for entry in row], dtype=np.int32)
        lp.a_matrix_.value_ = np.array([entry[1] for row in self.rows for entry in row], dtype=np.double)
        solver = highspy.Highs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("primal_feasibility_tolerance", 1e-9)
        solver.setOptionValue("dual_feasibility_tolerance", 1e-9)
        solver.passModel(lp)
        solver.run()
        status = solver.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"HiGHS ended with {status}")
        return solver.getInfo().objective_function_value


def optima(instance):
    """Unserved, overload and below-floor Mbps and CNY of an instance."""
    model, infinite = Model(), highspy.kHighsInf
    value = instance["value_cny_per_gbps_ms_slot"]
    limits = {}
    for kind in ("links", "sites"):
        for row in instance[kind]:
            soft = row.get("watermark_mbps", row["capacity_mbps"])
            hard = model.row(-infinite, row["capacity_mbps"])
            mark = model.row(-infinite, soft)
            model.column((0, 1, 0, 0), [(mark, -1.0)])
            limits[kind, row["id"]] = (hard, mark)
    meters = {}
    for meter in instance["meters"]:
        free, price = meter.get("free_below_mbps", 0), meter.get("price_cny_per_mbps") or 0
        if meter["model"] == "flat" or meter.get("burst"):
            price = 0
        if meter["model"] == "per-gb":
            free, price = 0, meter["price_cny_per_gb"] * instance.get("slot_seconds", 300) / 8000
        meters[meter["id"]] = model.row(-infinite, free)
        model.column((0, 0, 0, price), [(meters[meter["id"]], -1.0)])
    for unit in instance["units"]:
        demand = model.row(unit["mbps"], unit["mbps"])
        model.column((1, 0, 0, 0), [(demand, 1.0)])
        for link, quality in unit["cand"]:
            port = instance["links"][link]
            below = 1 if quality > unit.get("floor_ms", infinite) else 0
            rows = (demand, *limits["links", port["id"]], *limits["sites", port["site"]], meters[port["meter"]])
            model.column((0, 0, below, quality * value / 1000), [(row, 1.0) for row in rows])
    return model.optima()


def main():
    watershed, files = sys.argv[1], [Path(name) for name in sys.argv[2:]]
    folder = Path(tempfile.mkdtemp())
    shapes = [(20, 6, 0.6), (60, 10, 0.9), (60, 10, 1.2), (300, 20, 0.8), (1000, 40, 0.95), (3000, 60, 0.85)]
    for seed in range(3):
        for sources, sinks, load in shapes:
            path = folder / f"transport-{sources}x{sinks}-{load}-{seed}.json"
            path.write_text(json.dumps(transport(seed, sources, sinks, load)))
            files.append(path)
    failed = 0
    for path in files:
        instance = json.loads(path.read_text())
        expected = optima(instance)
        done = subprocess.run([watershed, "solve", str(path), "--json"], capture_output=True, check=True)
        report = json.loads(done.stdout)
        found = [report["unserved_mbps"], report["overload_mbps"], report["below_floor_mbps"], report["objective"]]
        total = sum(unit["mbps"] for unit in instance["units"])
        scales = [total, total, total, max(expected[3], 1e-9)]
        worst = max(abs(a - b) / max(scale, 1e-9) for a, b, scale in zip(expected, found, scales))
        failed += worst > TOLERANCE
        print(f"{'ok  ' if worst <= TOLERANCE else 'FAIL'} {path.name:32} off by {worst:.1e}  {expected} {found}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
