#!/usr/bin/env python3
"""GT eager and compiled against PyTorch, torch.compile and jax.jit: `make bench-peers`.

    python bench/peers.py [--quick] [--full] [--workload NAME]... [--systems NAME,...]
        [--inputs fresh|once|both] [--rounds N] [--threads N] [--minutes N] [--json FILE]
        [--peer-python PATH]

Each system runs in a process of its own; rounds alternate between systems, so that all of them see
the same weather. Peers come from $PEER_PYTHON, a Python that has torch or jax, or both; those that
are missing are named and left out. docs/benchmarks.md says what is measured and how to read it.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import peers_report
from peers_systems import SYSTEMS
from peers_workloads import ALL

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS_MAX = 2000


class Dead(Exception):
    """A system's process ended by itself."""


class System:
    """A system in its process."""

    def __init__(self, name, python, threads, folder):
        self.name = name
        env = dict(os.environ, GT_THREADS=str(threads), OMP_NUM_THREADS=str(threads),
                   MKL_NUM_THREADS=str(threads), NPROC=str(threads), JAX_PLATFORMS="cpu",
                   GT_AUTO_COMPILE=str(int(name == "gt-compiled")), GT_QUIET="1",
                   GT_CACHE_DIR="", TORCHINDUCTOR_CACHE_DIR=os.path.join(folder, name))
        if threads == 1:
            flags = "--xla_cpu_multi_thread_eigen=false"
            env["XLA_FLAGS"] = (env.get("XLA_FLAGS", "") + " " + flags).strip()
        self.process = subprocess.Popen(
            [python, os.path.join(HERE, "peers_serve.py"), name, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=HERE)

    def ask(self, **order):
        try:
            print(json.dumps(order), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise Dead(f"the process ended with status {self.process.wait()}")
        return json.loads(answer)

    def end(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def version_of(python, module):
    """The module's version there; None if it cannot be imported."""
    program = f"import {module}; print({module}.__version__)"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, cwd="/")
    return done.stdout.strip() if done.returncode == 0 else None


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":")[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def choose(wanted, peer_python):
    """The systems that can run as {name: python}; versions found; a line for each missing."""
    chosen, versions, missing = {}, {}, []
    for name in wanted:
        module = SYSTEMS[name][0]
        python = sys.executable if module == "gt" else peer_python
        if module not in versions:
            versions[module] = version_of(python, module)
        if versions[module]:
            chosen[name] = python
        else:
            missing.append(f"{SYSTEMS[name][1]} is left out: {python} has no {module}")
    return chosen, versions, missing


def start(system, workload, fresh):
    """Build the workload there; a measurement without rounds so far, or with an error."""
    m = {"system": system.name, "workload": workload, "fresh": fresh, "rounds": []}
    try:
        m.update(system.ask(make=workload, fresh=fresh))
    except Dead as e:
        m["error"] = str(e)
    return m


def run_round(system, m, seconds):
    """One round of about so many seconds."""
    each = m["rounds"][-1] if m["rounds"] else statistics.median(m["warm"][-8:])
    steps = max(1, min(STEPS_MAX, int(seconds / each)))
    try:
        answer = system.ask(steps=steps)
    except Dead as e:
        answer = {"error": str(e)}
    if "error" in answer:
        m["error"] = answer["error"]
    else:
        m["rounds"].append(answer["seconds"])


def measure(systems, workload, fresh, args, deadline):
    """All systems on one workload; at least two rounds, then as many as there is time for."""
    found = [start(s, workload, fresh) for s in systems]
    for k in range(args.rounds):
        if k >= 2 and time.monotonic() > deadline:
            break
        for s, m in zip(systems, found):
            if "error" not in m:
                run_round(s, m, args.seconds)
    return found


def measure_all(systems, workloads, args):
    """Everything that fits into the time; says what did not."""
    begin, measurements = time.monotonic(), []
    jobs = [(w, fresh) for w in workloads for fresh in args.fresh]
    for k, (w, fresh) in enumerate(jobs):
        left = begin + 60 * args.minutes - time.monotonic()
        if left < 0:
            print(f"time is up: {len(jobs) - k} of {len(jobs)} measurements are left out")
            break
        deadline = time.monotonic() + left / (len(jobs) - k)
        systems = [s for s in systems if s.process.poll() is None]
        measurements += measure(systems, w, fresh, args, deadline)
        print(f"{time.monotonic() - begin:6.0f} s  {w} {'fresh' if fresh else 'once'}",
              file=sys.stderr, flush=True)
    return measurements


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three short rounds")
    parser.add_argument("--full", action="store_true", help="torch.compile with max-autotune too")
    parser.add_argument("--workload", action="append", choices=list(ALL), help="may be repeated")
    parser.add_argument("--systems", help="of " + ", ".join(SYSTEMS))
    parser.add_argument("--inputs", choices=["fresh", "once", "both"], default="both")
    parser.add_argument("--rounds", type=int, help="of each workload (9)")
    parser.add_argument("--threads", type=int, default=1, help="compute threads of each (1)")
    parser.add_argument("--minutes", type=float, default=30, help="for everything (30)")
    parser.add_argument("--json", help="write the measurements to this file too")
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON", sys.executable),
                        help="the Python that has the peers ($PEER_PYTHON)")
    args = parser.parse_args(argv)
    args.rounds = args.rounds or (3 if args.quick else 9)
    args.seconds = 0.03 if args.quick else 0.2
    args.fresh = {"fresh": [True], "once": [False], "both": [True, False]}[args.inputs]
    default = [s for s in SYSTEMS if s != "torch-max" or args.full]
    args.systems = args.systems.split(",") if args.systems else default
    unknown = [s for s in args.systems if s not in SYSTEMS]
    if unknown:
        parser.error(f"unknown system {unknown[0]!r}; there are {', '.join(SYSTEMS)}")
    if args.rounds < 1 or args.threads < 1:
        parser.error("--rounds and --threads count from 1")
    return args


def main(argv=None):
    args = parse(argv)
    chosen, versions, missing = choose(args.systems, args.peer_python)
    machine = f"{processor()}, {os.cpu_count()} cores"
    print(f"{machine}; {args.threads} compute thread(s) each; "
          + ", ".join(f"{m} {v}" for m, v in versions.items() if v))
    for line in missing:
        print(line)
    with tempfile.TemporaryDirectory(prefix="gt-peers-") as folder:
        systems = [System(n, p, args.threads, folder) for n, p in chosen.items()]
        try:
            measurements = measure_all(systems, args.workload or list(ALL), args)
        finally:
            for s in systems:
                s.end()
    if args.json:
        with open(args.json, "w") as out:
            json.dump({"machine": machine, "threads": args.threads, "versions": versions,
                       "measurements": measurements}, out, indent=1)
    wrong = peers_report.print_report(measurements, list(chosen))
    return 1 if wrong or any("error" in m for m in measurements) else 0


if __name__ == "__main__":
    sys.exit(main())
