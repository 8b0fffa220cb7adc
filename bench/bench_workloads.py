#!/usr/bin/env python3
"""Training workloads of workloads.py, GT against a peer: medians of alternating rounds, one process a system.

    python bench/bench_workloads.py [--peer torch|none] [--peer-python PATH] [--rounds N] [--threads N]

Each system runs in a process of its own and waits on a pipe between its rounds, so that neither's idle threads
disturb the other and both see the same weather of a shared machine. Printed are the median time of a step of each and
the median of the ratios, round by round; at the end the geometric mean over the training workloads.
"""
import argparse
import importlib
import json
import math
import os
import statistics
import subprocess
import sys
import time

import workloads
from child import Child

ALL = {name: (make, steps) for name, make, steps in workloads.TRAINING + workloads.LARGER}


def serve(system, threads):
    """Child: read 'name fresh' lines, run a round of each, answer the seconds of a step."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    xp = importlib.import_module(system)
    if system == "torch" and threads:
        xp.set_num_threads(threads)
    made = {}
    for line in sys.stdin:
        name, fresh = line.split()
        make, steps = ALL[name]
        if line not in made:
            made[line] = make(xp, fresh == "1")
            for _ in range(3):
                made[line]()
        step = made[line]
        begin = time.perf_counter()
        for _ in range(steps):
            step()
        print((time.perf_counter() - begin) / steps, file=answers, flush=True)


class System(Child):
    def __init__(self, name, python, threads):
        super().__init__([python, os.path.abspath(__file__), "--serve", name, "--threads", str(threads)],
                         **({"GT_THREADS": str(threads)} if threads else {}))

    def round(self, name, fresh):
        return self.ask(f"{name} {int(fresh)}")


def has(python, module):
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True, cwd="/").returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default="torch", choices=["torch", "none"])
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON", sys.executable),
                        help="the Python that has the peer (default: $PEER_PYTHON, else this one)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="compute threads of both (0: each one's own choice)")
    parser.add_argument("--only", help="one workload")
    parser.add_argument("--json", help="write the figures to this file too")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args.serve, args.threads)
    peer = args.peer if args.peer != "none" and has(args.peer_python, args.peer) else None
    if args.peer != "none" and not peer:
        print(f"{args.peer} is not installed for {args.peer_python}: GT alone (set PEER_PYTHON to a Python that has it)")
    systems = [System("gt", sys.executable, args.threads)]
    if peer:
        systems.append(System(peer, args.peer_python, args.threads))
    figures = {}
    print(f"{'workload':<14}{'inputs':<8}{'GT us/step':>12}" + (f"{peer + ' us':>12}{'ratio':>8}{'min..max':>14}" if peer else ""))
    for fresh in (True, False):
        for name in ALL if not args.only else [args.only]:
            rounds = [[s.round(name, fresh) for s in systems] for _ in range(args.rounds)]
            medians = [statistics.median(r[k] for r in rounds) * 1e6 for k in range(len(systems))]
            line = f"{name:<14}{'fresh' if fresh else 'once':<8}{medians[0]:>12.1f}"
            if peer:
                ratios = sorted(r[1] / r[0] for r in rounds)
                figures[name, fresh] = statistics.median(ratios)
                line += f"{medians[1]:>12.1f}{figures[name, fresh]:>8.2f}{ratios[0]:>7.2f}..{ratios[-1]:<5.2f}"
            print(line, flush=True)
    for s in systems:
        s.end()
    if peer and not args.only:
        for fresh in (True, False):
            mean = math.prod(figures[n, fresh] for n, _, _ in workloads.TRAINING) ** (1 / len(workloads.TRAINING))
            print(f"geometric mean of the training workloads, inputs {'fresh' if fresh else 'made once'}: {mean:.2f} x {peer}")
    if args.json:
        with open(args.json, "w") as out:
            json.dump([{"workload": n, "fresh": f, "ratio": r} for (n, f), r in figures.items()], out, indent=1)


if __name__ == "__main__":
    main()
