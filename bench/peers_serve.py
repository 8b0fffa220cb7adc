"""One system of `make bench-peers`, in a process of its own: answers orders on a pipe.

    python bench/peers_serve.py SYSTEM THREADS

Orders and answers are JSON, one a line. {"make": workload, "fresh": bool} builds a workload and
does its first steps; {"steps": n} does n more and answers the seconds of one. Between orders the
process waits on the pipe and disturbs nobody.
"""

import json
import os
import sys
import time

import peers_systems
import peers_workloads

FIRST_STEPS = 24        # in which GT finds the loop, and which are compared between systems
SETTLE_STEPS = 200      # behind them, in which it chooses how to run it; fewer ..
SETTLE_SECONDS = 3.0    # .. of those that take longer


def replayed(system):
    """Operations that ran as part of a replayed or compiled loop so far; None where nobody counts
    them because the first step is compiled already."""
    if system != "gt-compiled":
        return None
    import gt
    workers = gt.debug.get_worker_stats().values()
    return sum(w["hotpath"]["hot_instructions"] for w in workers)


def forget(system):
    """Compile the next workload from cold, whatever it has in common with the one before."""
    if system == "gt-compiled":
        import gt
        gt.disconnect()


def wait_for_compiler(system):
    begin = time.perf_counter()
    if system == "gt-compiled":
        import gt
        gt.compile_wait()
    return time.perf_counter() - begin


def first_steps(system, step):
    """The first steps: their losses and seconds, and when compiled (or replayed) code had run.

    After half of them GT's compiler is waited for, so that the other half shows its work.
    """
    warm, losses, after, wait = [], [], None, 0.0
    compiles, before = peers_systems.SYSTEMS[system][2] is not None, replayed(system)
    begin = time.perf_counter()
    for k in range(FIRST_STEPS):
        if k == FIRST_STEPS // 2:
            wait = wait_for_compiler(system)
        started = time.perf_counter()
        losses.append(step())
        ended = time.perf_counter()
        warm.append(ended - started)
        if after is None and compiles and (before is None or replayed(system) > before):
            after = ended - begin
    return {"warm": warm, "wait": wait, "compiled_after": after, "losses": losses}


def settle(system, step):
    """The seconds of the steps between the first ones and the rounds: rounds measure the steady
    state of every system."""
    begin = time.perf_counter()
    for k in range(SETTLE_STEPS):
        step()
        if time.perf_counter() - begin > SETTLE_SECONDS:
            break
    wait_for_compiler(system)
    return time.perf_counter() - begin


def timed(step, steps):
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - begin) / steps


def serve(system, threads):
    # Whatever libraries print goes to stderr: standard output is the pipe.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if peers_systems.SYSTEMS[system][0] == "torch":
        import torch
        torch.set_num_threads(threads)
    step = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if "make" in order:
                step = None
                forget(system)
                w = peers_workloads.ALL[order["make"]]
                step = peers_systems.build(system, w, order["fresh"])
                answer = first_steps(system, step)
                answer["settling"] = settle(system, step)
            else:
                answer = {"seconds": timed(step, order["steps"])}
        except Exception as e:
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
