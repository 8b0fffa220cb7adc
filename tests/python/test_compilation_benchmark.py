"""benchmarks/compilation_benchmark.py: its arithmetic and its text on made-up times, and very
short real runs. Nothing here depends on how long anything takes."""

import json
import os
import subprocess
import sys

import pytest

HERE = os.path.join(os.path.dirname(__file__), "..", "..", "benchmarks")
SCRIPT = os.path.join(HERE, "compilation_benchmark.py")
sys.path.insert(0, HERE)

import compilation_benchmark as bench

HOTPATH = {"hot_paths": 1, "matches": 8, "coverage": 0.8}
OPERATIONS = {"total": 100, "eager": 100, "compiled": 0}


def figures(eager, compiled, warmup=2, wait=0.0, compilation=None, name="Some Work",
            settling=((4, 4.0), (4, 4.0))):
    def run(times, waited, settled):
        return {"times": times, "wait": waited, "operations": OPERATIONS, "hotpath": HOTPATH,
                "settling": dict(zip(("iterations", "seconds"), settled)),
                "compilation": compilation, "launches": 47.0}
    return bench.summarise(name, run(eager, 0.0, settling[0]), run(compiled, wait, settling[1]),
                           warmup)


def test_sums():
    f = figures([1.0] * 2 + [0.5] * 8, [2.0] * 2 + [0.125] * 8, wait=0.25)
    assert f["warmup_phase"]["eager"] == 2.0 and f["warmup_phase"]["speedup"] == 0.5
    assert f["steady"]["compiled_each"] == 0.125 and f["steady"]["speedup"] == 4.0
    assert f["total"]["eager"] == 6.0 and f["total"]["compiled"] == 5.0
    assert f["total"]["eager_least"] == 0.5 and f["total"]["compiled_least"] == 0.125
    assert f["verdict"] == "compile" and f["wait"] == 0.25


@pytest.mark.parametrize("compiled, warmup, wait, expected", [
    ([2.0, 2.0, 0.5, 0.5, 0.5, 0.5], 2, 0.0, 6),     # two behind, then half a second a step
    ([2.0, 2.0, 0.5, 0.5, 0.5, 0.5], 2, 0.25, None),  # the wait counts
    ([1.0, 1.0, 0.5, 0.5, 0.5, 0.5], 2, 1.0, 4),     # after the warm-up, once
    ([2.0] * 6, 2, 0.0, None),
    ([1.0] * 6, 2, 0.0, 1),
    ([1.0] * 5 + [1.5], 2, 0.0, None),               # ahead is only who stays ahead
])
def test_break_even(compiled, warmup, wait, expected):
    assert bench.find_break_even([1.0] * 6, compiled, warmup, wait) == expected


@pytest.mark.parametrize("settled, expected", [
    ((4, 6.0), 1.25 + 2),       # two seconds more than as many eager iterations
    ((2, 6.0), 1.25 + 4),       # one process had fewer in its time
    ((4, 3.0), 1.25),           # what settling wins is not counted
])
def test_settling_is_part_of_the_wait(settled, expected):
    f = figures([1.0] * 4, [1.0] * 4, wait=1.25, settling=((4, 4.0), settled))
    assert f["wait"] == expected and f["settling"]["iterations"] == settled[0]


def test_projection():
    # 14 s lost in the warm-up, 1 s waiting, 4 s won since: 11 s more at 0.5 s each.
    assert bench.project_break_even([1.0] * 10, [8.0] * 2 + [0.5] * 8, 2, 1.0) == 10 + 22
    assert bench.project_break_even([1.0] * 10, [1.0] * 2 + [2.0] * 8, 2, 0.0) is None
    assert bench.project_break_even([1.0] * 10, [1.0] * 10, 2, 0.0) is None


@pytest.mark.parametrize("speedup, winner", [
    (1.5, "compile"), (1.03, "compile"), (1.01, "even"), (1.0, "even"), (0.99, "even"),
    (0.5, "eager")])
def test_verdict(speedup, winner):
    assert bench.verdict(speedup) == winner


@pytest.mark.parametrize("seconds, text", [
    (1.65, "1.650s"), (0.0123456, "12.346ms"), (4.2e-6, "4.2µs"), (0.0, "0.0µs")])
def test_units(seconds, text):
    assert bench.time_text(seconds) == text


def row(label, eager, compiled, speedup):
    return f"{label:<41}{eager:>18}{compiled:>15}{speedup:>15}\n"


def test_block(capsys):
    bench.print_figures(figures([1.0] * 10, [1.0] * 2 + [0.25] * 8, wait=1.0))
    text = capsys.readouterr().out
    for part in (
        "WORKLOAD: Some Work\nIterations: 10 (warmup: 2)\n" + "=" * 80 + "\n",
        row("Warmup (first 2 iters):", "2.000s", "2.000s", "1.00x"),
        row("Steady state (remaining 8 iters):", "8.000s", "2.000s", "4.00x")
        + row("  Per iteration:", "1.000s", "250.000ms", "4.00x"),
        row("TOTAL TIME:", "10.000s", "4.000s", "2.50x"),
        "\nVERDICT: ✅ COMPILE WINS (2.50x faster overall)\n"
        "         Steady-state: 4.00x faster\n",
        "Break-even point: iteration 4\n",
        "Waiting for compilation: 1.000s (counted in the break-even)\n",
        "Launch reduction: 47 → 47 per iteration\n",
    ):
        assert part in text


def test_block_of_a_loss(capsys):
    bench.print_figures(figures([0.25] * 10, [1.0] * 10))
    text = capsys.readouterr().out
    assert "❌ NO COMPILE WINS (4.00x faster overall)" in text
    assert "Steady-state: 4.00x slower" in text and "Break-even point: never" in text


def test_compiler_s_own_figures_are_shown(capsys):
    compilation = {"cache_size": 3, "cache_hits": 9, "cache_misses": 1, "hit_rate": 0.9,
                   "compile_seconds": 0.012}
    bench.print_figures(figures([1.0] * 4, [1.0] * 4, compilation=compilation))
    assert ("Compilation stats: cache size 3, hits 9, misses 1, hit rate 90.0%, compile 12.000ms"
            in capsys.readouterr().out)


def test_tables(capsys):
    gains = figures([1e-5] * 10, [1e-5] * 2 + [5e-6] * 8, wait=6e-6, name="Gains")
    loses = figures([1e-5] * 10, [2e-5] * 10, name="Loses")
    bench.print_summary([gains, loses])
    bench.print_patterns([gains])
    text = capsys.readouterr().out
    assert ("Gains                               +6.0µs          2.00x            4   "
            "compile, runs of 4+\n") in text
    assert "0.50x        never   no compile\n" in text
    assert "Gains                           10.0µs         5.0µs       2.00x" in text


def test_command_line():
    args = bench.parse(["--quick", "--workload", "mlp"])
    assert list(args.workloads) == ["MLP Training Step"]
    assert list(args.patterns) == ["MLP 784-256-10"] and args.iters == bench.QUICK_ITERATIONS
    assert len(bench.parse([]).workloads) == 4 and bench.parse(["--iters", "7"]).iters == 7
    for wrong in ["--workload=zzz"], ["--iters=5"], ["--iters=0"], ["--iters=x"]:
        with pytest.raises(SystemExit):
            bench.parse(wrong)


def test_every_workload_reads_a_number():
    for workload in [*bench.WORKLOADS.values(), *bench.PATTERNS.values()]:
        assert isinstance(workload(), float), workload.__name__


def test_benchmark_workload_as_documented(tmp_path):
    """From another program, with one of its own workloads too."""
    program = tmp_path / "mine.py"
    program.write_text(
        "import sys\n"
        f"sys.path.insert(0, {HERE!r})\n"
        "from compilation_benchmark import *\n"
        "import gt\n"
        "def mine():\n"
        "    return (gt.ones(8, 8) @ gt.ones(8, 8) + 1.0).sum().item()\n"
        "if __name__ == '__main__':\n"
        "    benchmark_workload('Simple Matmul', workload_simple_matmul, 20, 5)\n"
        "    f = benchmark_workload('Mine', mine, 20, 5)\n"
        "    assert 5 <= f['launches']['eager'] < 6, f\n"
        "    assert f['hotpath']['matches'] > 0, f\n")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("WORKLOAD: Simple Matmul\nIterations: 20 (warmup: 5)\n")
    assert "WORKLOAD: Mine\n" in done.stdout and done.stdout.count("VERDICT: ") == 2


def test_a_program_of_two_lines(tmp_path):
    """As in the documentation: the processes that measure do not run the program once more."""
    program = tmp_path / "two.py"
    program.write_text("from compilation_benchmark import *\n"
                       "benchmark_workload('Simple Matmul', workload_simple_matmul, 20, 5)\n")
    path = os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0 and done.stdout.count("VERDICT: ") == 1, done.stdout + done.stderr


def test_a_workload_that_fails_says_why(tmp_path):
    program = tmp_path / "fails.py"
    program.write_text(
        "import sys\n"
        f"sys.path.insert(0, {HERE!r})\n"
        "from compilation_benchmark import *\n"
        "def broken():\n"
        "    raise ValueError('no data here')\n"
        "if __name__ == '__main__':\n"
        "    benchmark_workload('Broken', broken, 10, 2)\n")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "RuntimeError: broken: ValueError: no data here" in done.stderr
    with pytest.raises(ValueError, match="warm-up"):
        bench.benchmark_workload("x", bench.workload_simple_ops, 5, 5)


def test_json():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--iters", "20", "--workload", "simple", "--json"],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [f["workload"] for f in found] == ["Simple Matmul Chain", "Simple Ops"]
    for f in found:
        assert f["iterations"] == 20 and f["warmup"] == 5 and f["wait"] >= 0
        assert 0 < f["settling"]["iterations"] <= bench.SETTLING
        assert f["hotpath"]["hot_paths"] == 1 and f["hotpath"]["matches"] > 0
        assert f["total"]["eager"] > 0 and f["verdict"] in ("compile", "eager", "even")
