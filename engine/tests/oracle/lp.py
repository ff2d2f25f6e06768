"""The optimum of an instance by HiGHS, a linear program for each level under the ones before it."""

import time

import highspy
import numpy as np


class TooSlow(Exception):
    """The time allowed was not enough."""


class Model:
    """Columns with four costs each, rows with bounds."""

    def __init__(self, limit_s):
        self.costs, self.upper, self.rows, self.bounds = [], [], [], []
        self.end = time.monotonic() + limit_s

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
        solver.setOptionValue("time_limit", max(self.end - time.monotonic(), 0.1))
        solver.passModel(lp)
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kTimeLimit:
            raise TooSlow
        if status != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"HiGHS ended with {status}")
        return solver.getInfo().objective_function_value


def limit_rows(model, instance):
    """(kind, id) -> rows of its hard and its soft limit."""
    limits = {}
    for kind in ("links", "sites", "regions"):
        for row in instance.get(kind, []):
            soft = row.get("watermark_mbps", row["capacity_mbps"])
            hard = model.row(-highspy.kHighsInf, row["capacity_mbps"])
            mark = model.row(-highspy.kHighsInf, soft)
            model.column((0, 1, 0, 0), [(mark, -1.0)])
            limits[kind, row["id"]] = (hard, mark)
    return limits


def above_free(instance, meter):
    """Free level of a meter, and what a Mbps above it costs."""
    if meter["model"] == "per-gb":
        return 0, meter["price_cny_per_gb"] * instance.get("slot_seconds", 300) / 8000
    free, price = meter.get("free_below_mbps", 0), meter.get("price_cny_per_mbps") or 0
    return free, 0 if meter["model"] == "flat" or meter.get("burst") else price


def meter_rows(model, instance):
    """id -> row of what is free."""
    meters = {}
    for meter in instance["meters"]:
        free, price = above_free(instance, meter)
        meters[meter["id"]] = model.row(-highspy.kHighsInf, free)
        model.column((0, 0, 0, price), [(meters[meter["id"]], -1.0)])
    return meters


def request_rows(model, instance):
    """Site id -> row of the requests that it can answer; what is above is charged."""
    asking = [unit for unit in instance["units"] if unit.get("rps", 0) > 0]
    limited = [site for site in instance["sites"] if site.get("capacity_rps") is not None]
    if not asking or not limited:
        return {}
    worst_ms = max((c[1] for unit in instance["units"] for c in unit["cand"]), default=0)
    way = (worst_ms + instance.get("move_cost_ms", 0)) * instance["value_cny_per_gbps_ms_slot"] / 1000
    way += max(above_free(instance, meter)[1] for meter in instance["meters"])
    charge = 100 * (way or 1) * sum(u["mbps"] for u in asking) / sum(u["rps"] for u in asking)
    rows = {}
    for site in limited:
        rows[site["id"]] = model.row(-highspy.kHighsInf, site["capacity_rps"])
        model.column((0, 0, 0, charge), [(rows[site["id"]], -1.0)])
    return rows


def optima(instance, limit_s):
    """Unserved, overload and below-floor Mbps and CNY of an instance; raises `TooSlow`."""
    model, infinite = Model(limit_s), highspy.kHighsInf
    limits, meters = limit_rows(model, instance), meter_rows(model, instance)
    requests = request_rows(model, instance)
    region_of = {site["id"]: site["region"] for site in instance["sites"]}
    cny_per_ms = instance["value_cny_per_gbps_ms_slot"] / 1000
    for unit in instance["units"]:
        demand = model.row(unit["mbps"], unit["mbps"])
        model.column((1, 0, 0, 0), [(demand, 1.0)])
        stays = {}
        for link, share in unit.get("incumbent", []):
            stays[link] = stays.get(link, 0) + share
        moving = instance.get("move_cost_ms", 0) if stays else 0
        for link, quality in unit["cand"]:
            port = instance["links"][link]
            below = 1 if quality > unit.get("floor_ms", infinite) else 0
            above = limits.get(("regions", region_of[port["site"]]), ())
            rows = (demand, *limits["links", port["id"]], *limits["sites", port["site"]], *above, meters[port["meter"]])
            entries = [(row, 1.0) for row in rows]
            if unit.get("rps") and port["site"] in requests:
                entries.append((requests[port["site"]], unit["rps"] / unit["mbps"]))
            model.column((0, 0, below, (quality + moving) * cny_per_ms), entries)
            if moving and link in stays:
                model.column((0, 0, below, quality * cny_per_ms), entries, stays[link] * unit["mbps"])
    return model.optima()
