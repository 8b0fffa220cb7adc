"""What `make bench-peers` makes of its measurements: pure arithmetic and tables.

A measurement is a dict of one system on one workload, inputs fresh or not:
  {"system", "workload", "fresh", "rounds": seconds of a step, round by round,
   "warm": seconds of the first steps, "wait", "settling": of what comes between them and the
   rounds (peers_serve.py), "compiled_after": seconds until the first step that ran
   compiled code had ended (None: none did), "losses": what the first steps read}
or, where something went wrong, {"system", "workload", "fresh", "error": text}.
"""

import math
import statistics

from peers_systems import PEERS, SYSTEMS
from peers_workloads import ALL, TRAINING

# Standard errors that two means of random losses may differ by.
ERRORS_APART = 6.0


def differs(w, fresh, a, b):
    """How two systems' losses differ beyond rounding, as a text; None if they agree.

    Inputs that are made once are the same bits everywhere: so are the losses, but for rounding.
    Drawn ones follow the same law: so do the losses.
    """
    pairs = list(zip(a, b))
    if not all(math.isfinite(v) for pair in pairs for v in pair):
        return "a loss is not finite"
    if fresh:
        means = [statistics.fmean(v) for v in (a, b)]
        error = math.sqrt(sum(statistics.variance(v) / len(v) for v in (a, b)))
        if abs(means[0] - means[1]) > ERRORS_APART * error + w.tolerance * max(map(abs, means)):
            return f"mean losses {means[0]:.6g} and {means[1]:.6g}"
        return None
    for k, (x, y) in enumerate(pairs):
        if abs(x - y) > w.tolerance * max(abs(x), abs(y)):
            return f"losses of step {k}: {x:.6g} and {y:.6g}"
    return None


def break_even(warm, wait, steady, eager):
    """The step after which a compiled system is ahead of the eager one for good.

    `warm` are the seconds of its first steps, `wait` those spent waiting for its compiler,
    `steady` and `eager` the seconds of a step of each from then on. None: never.
    """
    behind = sum(warm) + wait - len(warm) * eager
    if steady >= eager:
        return None
    return max(1, len(warm) + math.ceil(behind / (eager - steady)))


def table_of(measurements):
    """By workload and freshness, by system; those that failed are left out."""
    rows = {}
    for m in measurements:
        row = rows.setdefault((m["workload"], m["fresh"]), {})
        if "error" not in m:
            row[m["system"]] = m
    return rows


def best_peer(row, of):
    """(seconds, name) of the fastest peer; None without one."""
    return min(((of(m["rounds"]), s) for s, m in row.items() if s in PEERS), default=None)


def ratio(row, system, of):
    """How many times faster than the best peer the system is; None if either is missing."""
    best = best_peer(row, of)
    return best[0] / of(row[system]["rounds"]) if best and system in row else None


def geometric_mean(rows, system, fresh, of):
    """Of the ratios on the four training workloads; None unless all of them are there."""
    ratios = [ratio(rows.get((w.name, fresh), {}), system, of) for w in TRAINING]
    return None if None in ratios else math.prod(ratios) ** (1 / len(ratios))


def time_text(seconds):
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def cell(text):
    return "-" if text is None else text


def print_speeds(rows, systems, of, word):
    """Time of a step of each system and how far ahead GT is of the best peer."""
    print(f"\nTime of a step, {word}, and how many times faster than the best peer GT is")
    ours = [s for s in systems if s not in PEERS]
    print(f"{'workload':<14}{'inputs':<7}" + "".join(f"{SYSTEMS[s][1]:>15}" for s in systems)
          + "".join(f"{SYSTEMS[s][1][3:] + ' x':>12}" for s in ours) + "  best peer")
    for (name, fresh), row in rows.items():
        cells = [time_text(of(row[s]["rounds"])) if s in row else "-" for s in systems]
        ratios = [ratio(row, s, of) for s in ours]
        best = best_peer(row, of)
        print(f"{name:<14}{'fresh' if fresh else 'once':<7}" + "".join(f"{c:>15}" for c in cells)
              + "".join(f"{cell(r and f'{r:.2f}'):>12}" for r in ratios)
              + "  " + (SYSTEMS[best[1]][1] if best else "-"))
    for s in ours:
        for fresh in (True, False):
            mean = geometric_mean(rows, s, fresh, of)
            if mean:
                print(f"{SYSTEMS[s][1]}, the four training workloads, inputs "
                      f"{'fresh' if fresh else 'made once'}: {mean:.2f} x the best peer "
                      "(geometric mean)")


def start_of(row, system):
    """(time to the first compiled step, break-even against its eager system), as texts."""
    m, other = row.get(system), row.get(SYSTEMS[system][2])
    if not m:
        return "-"
    after = time_text(m["compiled_after"]) if m["compiled_after"] is not None else "never"
    if not other:
        return after
    at = break_even(m["warm"], m["wait"], min(m["rounds"]), min(other["rounds"]))
    return f"{after} / {'never' if at is None else at}"


def print_starts(rows, systems):
    """When compiled code first ran, and from which step on it had paid."""
    compiled = [s for s in systems if SYSTEMS[s][2]]
    if not compiled:
        return
    print("\nTime to the end of the first compiled step / the step from which compiling has paid"
          "\n(GT against GT eager, the others against PyTorch; everything compiled from cold)")
    print(f"{'workload':<14}{'inputs':<7}" + "".join(f"{SYSTEMS[s][1]:>22}" for s in compiled))
    for (name, fresh), row in rows.items():
        print(f"{name:<14}{'fresh' if fresh else 'once':<7}"
              + "".join(f"{start_of(row, s):>22}" for s in compiled))


def disagreements(rows):
    """A line for each system whose losses are not those of the first system of its row."""
    lines = []
    for (name, fresh), row in rows.items():
        (first, reference), *others = row.items() or [(None, None)]
        for s, m in others:
            why = differs(ALL[name], fresh, reference["losses"], m["losses"])
            if why:
                lines.append(f"{name} ({'fresh' if fresh else 'once'}), {SYSTEMS[first][1]} and "
                             f"{SYSTEMS[s][1]} do not compute the same: {why}")
    return lines


def print_report(measurements, systems):
    """Everything; returns the lines about systems that computed something else."""
    rows = table_of(measurements)
    print_speeds(rows, systems, min, "least of the rounds")
    print_speeds(rows, systems, statistics.median, "median of the rounds")
    print_starts(rows, systems)
    for m in measurements:
        if "error" in m:
            print(f"{m['workload']} failed in {SYSTEMS[m['system']][1]}: {m['error']}")
    wrong = disagreements(rows)
    for line in wrong:
        print(line)
    return wrong
