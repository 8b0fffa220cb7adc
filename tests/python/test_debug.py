"""gt.debug: statistics of hot paths and what is told of them, in processes of their own."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

LOOP = """
    import gt

    gt.manual_seed(1)
    w = gt.randn(4, 4)
    seen = []
    for step in range(100):
        x = gt.randn(8, 4)
        y = (x @ w).relu()
        loss = y.sum()
        w = w * 0.9
        seen.append(loss)
    values = [float(s) for s in seen]
"""


def run_both(body, **settings):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GT_")}
    environment |= {"GT_CACHE_DIR": ""} | settings
    program = textwrap.dedent(LOOP) + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", program], env=environment, text=True,
                          capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def run(body, **settings):
    return run_both(body, **settings)[0]


# Only replayed: what the compiler says and does comes when it is ready, if there is one.
HOT = {"GT_AUTO_COMPILE": "1", "GT_COMPILE_SYNC": "1", "GT_HOTPATH_TIER": "1"}


def test_counts():
    out = run("""
        stats = gt.debug.get_worker_stats()["worker_0"]
        h = stats["hotpath"]
        assert h["total_batches"] == 100 and h["hot_batches_executed"] == 90, h
        assert h["unique_patterns"] == 1 and h["hot_paths"] == 1, h
        assert h["hot_threshold"] == 10
        assert h["matches"] in (89, 90) and h["coverage"] > 0.85, h
        assert h["hot_instructions"] <= h["total_instructions"] == stats["operations"]["total"]
        assert stats["operations"]["compiled"] == 0
        assert h["top_sequences"][0]["executed"] == 100
        gt.debug.print_worker_stats()
    """, GT_QUIET="1", **HOT)
    assert out.startswith("worker_0:\n  operations:\n")
    assert "    total_batches: 100\n" in out


def test_a_line_is_one_place_however_often_it_ran(tmp_path):
    """An interpreter that rewrites what runs often calls from another offset then."""
    run("""
        def step():
            return gt.randn(2), gt.randn(2)

        for k in range(100):
            step()
        gt.synchronize()
    """, GT_DUMP=str(tmp_path))
    dump, = tmp_path.glob("*.0.gts")
    places = re.findall(r" = randn float32 \[2\].* (@ \d+)$", dump.read_text(), re.M)
    assert len(places) == 200 and len(set(places)) == 1


def test_waiting_is_no_operation():
    run("""
        total = [gt.debug.get_worker_stats()["worker_0"]["operations"]["total"] for k in range(3)]
        assert total[0] == total[1] == total[2], total
        gt.synchronize()
    """, **HOT)


def test_off():
    run("""
        h = gt.debug.get_worker_stats()["worker_0"]["hotpath"]
        assert h["hot_threshold"] == h["total_batches"] == h["total_instructions"] == 0
        assert "GT_AUTO_COMPILE" in gt.debug.explain()
    """)


def test_nothing_yet():
    program = "import gt; print(gt.debug.get_worker_stats()); print(gt.debug.explain())"
    out = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True)
    assert out.stdout == "{}\nnothing has been executed yet\n\n"


def test_explain():
    out = run("print(gt.debug.explain())", GT_QUIET="1", **HOT)
    assert "executed 100 times: HOT PATH \u2713" in out
    assert "matmul" in out and "relu" in out
    assert "<string>:9" in out          # the line of the relu
    assert "live-ins" in out and "cut at" in out


def test_explain_not_yet():
    out = run("print(gt.debug.explain())", GT_QUIET="1", GT_HOTPATH_THRESHOLD="1000", **HOT)
    assert "not yet: 100 of 1000 times" in out


def test_lines():
    out = run("", **HOT)
    lines = out.splitlines()
    assert lines[0] == "Worker worker_0: Hot path detection enabled (threshold=10)"
    assert lines[1].startswith("[HotPath] Detected hot sequence after 10 reps: Stream(")
    assert lines[1].endswith("ops)") and len(lines) == 2
    assert run("", GT_QUIET="1", **HOT) == ""
    talks = run("", GT_DEBUG_COMPILE="1", **HOT)
    assert "[HotPath] Starting hot sequence (length=" in talks
    assert "[COMPILE] Detected hot sequence: " in talks and "(executed 10 times)" in talks
    assert talks.splitlines()[-1].startswith("Worker worker_0: ")
    assert "100 batches, 90 hot; 1 patterns, 1 hot paths; " in talks.splitlines()[-1]


@pytest.mark.parametrize("sync", ["0", "1"])
def test_same_values(sync):
    body = "print(values)"
    hot = run(body, GT_AUTO_COMPILE="1", GT_COMPILE_SYNC=sync, GT_QUIET="1")
    assert hot == run(body)


def test_explain_says_where_runs_broke_off():
    out = run("""
        y = (gt.randn(8, 4) @ w).relu()
        for k in range(200):
            w = w * 1.5 + 1
        print(gt.debug.explain())
    """, GT_QUIET="1", **HOT)
    assert re.search(r"^  broke off 1 times: 1 where %\d+ = \w+ was expected$", out, re.M), out


# Kernels without a compiler: what is told of them does not depend on it.
FUSED = {"GT_AUTO_COMPILE": "1", "GT_COMPILE_SYNC": "1", "GT_HOTPATH_CODE": "interpreted",
         "GT_QUIET": "1"}


def test_explain_kernels():
    """The short form: a line a kernel and a line a reason; the ops say whose they are."""
    out = run("print(gt.debug.explain())", **FUSED)
    kernel = re.search(r"^      (relu_sum_[0-9a-f]{8}): %\d+ %\d+, over .*$", out, re.M)
    assert kernel, out
    assert re.search(rf"= relu %\d+ .*<string>:9.*    in {kernel[1]}$", out, re.M), out
    assert re.search(r"^      apart: .*%\d+ \| %\d+.*: \S", out, re.M), out
    assert not re.search(r"^behind %", out, re.M)


TALKS = {"GT_AUTO_COMPILE": "1", "GT_COMPILE_SYNC": "1", "GT_DEBUG_COMPILE": "1"}
OTHER_SHAPES = """
    for n, m in SHAPES:
        for step in range(30):
            x = gt.randn(n, m).exp()
            y = (x / x.sum(1, keepdim=True)).square().sum()
        print("after", n, m, gt.debug.get_worker_stats()["worker_0"]["compilation"]["recompiles"])
"""


def test_other_rows_need_no_other_code():
    out = run(OTHER_SHAPES.replace("SHAPES", "((8, 10), (24, 10), (5, 10))"),
              GT_HOTPATH_CODE="interpreted", **TALKS)
    assert "Recompiling" not in out and "after 5 10 0\n" in out
    assert out.count("[COMPILE] The same code for other shapes (") == 2


def test_recompiling_says_why():
    out = run(OTHER_SHAPES.replace("SHAPES", "((8, 10), (8, 64), (9, 64))"), **TALKS)
    why = re.findall(r"^\[COMPILE\] Recompiling [0-9a-f]{12}: other shapes or strides$", out, re.M)
    assert len(why) == 1 and "after 8 64 1\n" in out and "after 9 64 1\n" in out or (
        "no code generator" in out)


def test_a_folder_that_takes_no_dumps_is_told_of_once(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    told = run_both("print(values[-1])", GT_DUMP=str(file), GT_AUTO_COMPILE="1",
                    GT_COMPILE_SYNC="1", GT_HOTPATH_CODE="interpreted")[1].splitlines()
    assert len(told) == 2 and told[0].endswith("; the stream is not dumped any more")
    assert told[1].endswith("; no regions and kernels are dumped any more")


def test_explain_names_the_mode():
    assert "  fused (T2): 1 plans" in run("print(gt.debug.explain())", **FUSED)
    out = run("print(gt.debug.explain())", GT_COMPILE_MODE="reduce-overhead", **FUSED)
    assert "  fused (T2, reduce-overhead): 1 plans" in out


def test_explain_in_full():
    out = run("print(gt.debug.explain(full=True))", **FUSED)
    assert "behind %" in out and "# fused" in out and "rows expanded" in out
    assert re.search(r"^group 0 is relu_sum_[0-9a-f]{8}$", out, re.M), out


def test_explain_a_kernel():
    out = run("""
        import re
        name = re.search(r"relu_sum_[0-9a-f]{8}", gt.debug.explain())[0]
        print(gt.debug.explain(kernel=name))
        print(gt.debug.explain(kernel="nobody"))
    """, **FUSED)
    assert "group rows\n" in out and " = relu %0 : float32" in out
    assert "define void @kernel(ptr" in out and "\tret" in out or "no code generator" in out
    assert re.search(r"there is no kernel called 'nobody'; there are:\n  relu_sum_", out), out
