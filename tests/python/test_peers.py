"""bench/peers*.py: what the comparison with other frameworks makes of its measurements, and one
very short run of it. Nothing here depends on how long anything takes."""

import json
import math
import os
import subprocess
import sys

import pytest

BENCH = os.path.join(os.path.dirname(__file__), "..", "..", "bench")
sys.path.insert(0, BENCH)

import peers
import peers_report
import peers_systems
import peers_workloads

ALL = peers_workloads.ALL


def measured(system, workload, rounds, fresh=False, losses=(1.0, 2.0), after=None):
    return {"system": system, "workload": workload, "fresh": fresh, "rounds": rounds,
            "warm": [1.0, 1.0], "wait": 0.5, "compiled_after": after, "losses": list(losses)}


def test_break_even():
    # Two steps and the wait took 2.5 s, eager 0.2 s; each step from then on wins 0.05 s.
    assert peers_report.break_even([1.0, 1.0], 0.5, 0.05, 0.1) == 2 + 46
    assert peers_report.break_even([0.1, 0.1], 0.0, 0.05, 0.1) == 2
    assert peers_report.break_even([0.01, 0.01], 0.0, 0.05, 0.1) == 1
    assert peers_report.break_even([1.0], 0.0, 0.1, 0.1) is None
    assert peers_report.break_even([1.0], 0.0, 0.2, 0.1) is None


def test_ratio_is_to_the_fastest_peer():
    rows = peers_report.table_of([
        measured("gt", "chain", [2.0, 1.0]), measured("torch", "chain", [4.0, 5.0]),
        measured("jax", "chain", [3.0, 9.0]), {"system": "torch-compile", "workload": "chain",
                                               "fresh": False, "error": "no compiler"}])
    row = rows["chain", False]
    assert peers_report.best_peer(row, min) == (3.0, "jax")
    assert peers_report.ratio(row, "gt", min) == 3.0
    assert peers_report.ratio(row, "gt", max) == 2.5     # PyTorch's 5 over 2
    assert peers_report.ratio(row, "gt-compiled", min) is None
    assert "torch-compile" not in row
    assert peers_report.best_peer({"gt": row["gt"]}, min) is None


def test_geometric_mean_needs_all_four():
    times = dict(zip([w.name for w in peers_workloads.TRAINING], (1.0, 2.0, 4.0, 8.0)))
    found = [measured("gt", name, [1.0]) for name in times]
    found += [measured("torch", name, [t]) for name, t in times.items()]
    rows = peers_report.table_of(found)
    assert math.isclose(peers_report.geometric_mean(rows, "gt", False, min), 64 ** 0.25)
    assert peers_report.geometric_mean(rows, "gt", True, min) is None
    assert peers_report.geometric_mean(peers_report.table_of(found[1:]), "gt", False, min) is None


def test_losses_are_compared():
    chain = ALL["chain"]
    assert peers_report.differs(chain, False, [1.0, 2.0], [1.0, 2.0001]) is None
    assert "step 1" in peers_report.differs(chain, False, [1.0, 2.0], [1.0, 2.1])
    assert "finite" in peers_report.differs(chain, False, [1.0], [math.nan])
    # Drawn inputs: the same law is enough, another mean is not.
    drawn = [1.0, 3.0] * 12
    assert peers_report.differs(chain, True, drawn, [3.0, 1.0] * 12) is None
    assert "mean" in peers_report.differs(chain, True, drawn, [v + 9 for v in drawn])
    rows = peers_report.table_of([measured("gt", "chain", [1.0]),
                                  measured("jax", "chain", [1.0], losses=(1.0, 3.0))])
    (line,) = peers_report.disagreements(rows)
    assert "GT eager and jax.jit" in line


def test_report_prints_every_system(capsys):
    wrong = peers_report.print_report(
        [measured("gt", "mlp", [0.002]), measured("torch", "mlp", [0.004]),
         measured("jax", "mlp", [0.001], after=1.5),
         {"system": "torch-compile", "workload": "mlp", "fresh": False, "error": "no compiler"}],
        ["gt", "torch", "torch-compile", "jax"])
    text = capsys.readouterr().out
    assert wrong == []
    assert "0.50  jax.jit" in text
    assert "mlp failed in torch.compile: no compiler" in text
    assert f"1.5 s / {2 + math.ceil((2.5 - 0.008) / 0.003)}" in text


@pytest.mark.parametrize("seconds, text", [(2.5, "2.5 s"), (0.0125, "12.5 ms"), (4.2e-5, "42 us")])
def test_times_choose_their_unit(seconds, text):
    assert peers_report.time_text(seconds) == text


def test_command_line():
    args = peers.parse(["--quick", "--workload", "mlp", "--workload", "gpt", "--inputs", "once"])
    assert args.workload == ["mlp", "gpt"] and args.fresh == [False] and args.rounds == 3
    assert "torch-max" not in args.systems and "torch-max" in peers.parse(["--full"]).systems
    assert peers.parse(["--systems", "gt,jax", "--rounds", "2"]).systems == ["gt", "jax"]
    for wrong in ["--systems=tensorflow"], ["--workload=x"], ["--rounds=-1"], ["--threads=0"]:
        with pytest.raises(SystemExit):
            peers.parse(wrong)


def test_missing_peers_are_named():
    chosen, versions, missing = peers.choose(["gt", "torch"], "/bin/false")
    assert list(chosen) == ["gt"] and versions["gt"] and not versions["torch"]
    assert missing == ["PyTorch is left out: /bin/false has no torch"]


def test_twelve_workloads_with_the_issue_s_sizes():
    assert len(ALL) == 12 and len(peers_workloads.TRAINING) == 4
    counts = {n: sum(math.prod(a.shape) for a in w.parameters) for n, w in ALL.items()}
    assert counts["mlp"] == 32 * 64 + 64 + 64 * 32 + 32 + 32 * 10 + 10
    assert counts["mlp_1024"] == 2 * 1024 * 4096 + 4096 + 1024
    assert ALL["element_20"].inputs[0].shape == (1 << 20,)


def test_noise_is_the_same_whole_numbers_without_zeros():
    np = pytest.importorskip("numpy")
    array = peers_workloads.Array((37, 100), 2.0)
    values = peers_systems.noise(lambda n: np.arange(n, dtype=np.int32), array, 3)
    assert values.shape == (37, 100) and (values != 0).all()
    assert abs(values.mean()) < 0.1 and 1.8 < values.std() < 2.2


@pytest.mark.parametrize("name", [n for n in ALL if n != "mlp_1024"])
def test_eager_steps(name):
    """Inputs made once: the same losses each time the workload is built, and training trains."""
    w = ALL[name]
    first, again = ([step() for _ in range(3)] for step in
                    (peers_systems.build("gt", w, False) for _ in range(2)))
    assert first == again and all(map(math.isfinite, first))
    if w.ending in ("forward", "squares"):
        assert first[0] == first[2]
    else:
        assert first[2] < first[0]
    assert math.isfinite(peers_systems.build("gt", w, True)())


def test_a_short_run(tmp_path):
    out = tmp_path / "peers.json"
    done = subprocess.run(
        [sys.executable, os.path.join(BENCH, "peers.py"), "--quick", "--rounds", "1",
         "--systems", "gt,gt-compiled", "--workload", "ten", "--json", str(out)],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "GT eager" in done.stdout and "GT compiled" in done.stdout
    found = json.loads(out.read_text())["measurements"]
    assert [(m["system"], m["fresh"]) for m in found] == [
        ("gt", True), ("gt-compiled", True), ("gt", False), ("gt-compiled", False)]
    assert all(len(m["rounds"]) == 1 and min(m["rounds"]) > 0 for m in found)
    # Eager never runs compiled code; with GT_AUTO_COMPILE it does within the first steps.
    assert [m["compiled_after"] is not None for m in found] == [False, True, False, True]
    # The same bits with and without.
    assert found[2]["losses"] == found[3]["losses"]
