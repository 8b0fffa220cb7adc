"""gt.compile, compiled signals, gt.compile_wait, and what the process's statistics count of them.
Each in a process of its own: settings are read once."""

import os
import subprocess
import sys

import gt
import pytest


PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("GT_")}


def run(program, **settings):
    done = subprocess.run(
        [sys.executable, "-c", "import gt\n" + program],
        capture_output=True,
        text=True,
        timeout=100,
        env={**PLAIN, "GT_COMPILE_SYNC": "1", "GT_CACHE_DIR": "", **settings},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


STATS = """
def hot():
    gt.compile_wait()
    (worker,) = gt.debug.get_worker_stats().values()
    return worker["hotpath"]
"""


def test_function():
    out = run(STATS + """
@gt.compile
def f(x):
    "doc"
    return ((x + 1) * x).exp().sum()
x = gt.ones(4)
values = [f(x).item() for _ in range(5)]
assert len(set(values)) == 1 and f.__name__ == "f" and f.__doc__ == "doc"
assert hot()["matches"] == 4, hot()
""")
    assert out == ""


def test_module_stays_what_it_is():
    run(STATS + """
net = gt.nn.Sequential(gt.nn.Linear(3, 4), gt.nn.ReLU())
names = [name for name, _ in net.named_parameters()]
before = net.state_dict()
assert gt.compile(net, mode="reduce-overhead") is net
assert [name for name, _ in net.named_parameters()] == names == list(net.state_dict())
outer = gt.nn.Sequential(net)
with gt.no_grad():
    first = outer(gt.ones(2, 3)).tolist()
    for _ in range(4):
        assert outer(gt.ones(2, 3)).tolist() == first
assert hot()["matches"] >= 3, hot()
""")


def test_excluded():
    run(STATS + """
@gt.compile(enable=False)
def f(x):
    return ((x + 1) * x).exp().sum()
for _ in range(40):
    f(gt.ones(4)).item()
assert hot()["hot_instructions"] <= 40, hot()
""", GT_AUTO_COMPILE="1", GT_QUIET="1")


def test_step_with_gradients():
    program = """
gt.manual_seed(3)
net = gt.nn.Linear(3, 2)
opt = gt.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
def step(x):
    loss = (net(x) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss
COMPILE
print([step(gt.randn(5, 3)).item() for _ in range(8)], net.weight.tolist())
"""
    plain = run(program.replace("COMPILE", ""))
    assert run(program.replace("COMPILE", "step = gt.compile(step)")) == plain
    assert run(program.replace("COMPILE", ""), GT_COMPILE="1") == plain
    assert run(program.replace("COMPILE", ""), GT_COMPILE="1", GT_CHECK="1") == plain


EMBEDS = """
F = gt.nn.functional
gt.manual_seed(3)
words, places = gt.nn.Embedding(20, 12), gt.nn.Embedding(6, 12)
out = gt.nn.Linear(12, 20)
modules = gt.nn.Sequential(words, places, out)
optimiser = gt.optim.SGD(modules.parameters(), lr=0.1)
text, target = gt.randint(0, 20, (4, 6)), gt.randint(0, 20, (24,))
for step in range(30):
    h = words(text) + places(gt.arange(6))
    h = F.dropout(gt.relu(h), 0.25, True)
    loss = F.cross_entropy(out(h).reshape(24, 20), target)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    print(loss.item())
"""


def test_embedding_and_dropout_are_in_kernels():
    eager = run(EMBEDS, GT_AUTO_COMPILE="0")
    assert len(set(eager.split())) == 30
    hot = run(
        EMBEDS + "print(gt.debug.explain())\n", GT_AUTO_COMPILE="1", GT_QUIET="1", GT_HOTPATH_TIER="2"
    )
    assert hot.startswith(eager)
    for op in ("rand", "index_select"):
        lines = [line for line in hot.splitlines() if f" = {op}" in line]
        assert lines and any("    in " in line for line in lines), hot


def test_signals():
    run(STATS + """
gt.signal.compile("forward")
x = gt.ones(4)
for _ in range(5):
    with gt.signal.context("forward"):
        y = ((x + 1) * x).exp()
    y.sum().item()
assert hot()["matches"] == 4, hot()
gt.signal.compile("forward", enable=None)
""")


def test_an_exception_ends_the_part():
    run("""
@gt.compile
def f(x):
    raise KeyError("mine")
for _ in range(100):
    try:
        f(1)
    except KeyError:
        pass
f2 = gt.compile(lambda x: gt.disconnect())
f2(gt.ones(1))
""")


def test_refusals():
    with pytest.raises(ValueError, match="mode is 'fast', expected one of 'default', "
                       "'reduce-overhead', 'max-autotune'"):
        gt.compile(lambda: None, mode="fast")
    with pytest.raises(TypeError, match="expected a function or a module object, got 3"):
        gt.compile(3)
    with pytest.raises(TypeError, match="a module object"):
        gt.compile(gt.nn.Linear)


MODES = """
gt.manual_seed(5)
net = gt.nn.Sequential(gt.nn.Linear(6, 8), gt.nn.LayerNorm(8), gt.nn.Linear(8, 2))
opt = gt.optim.AdamW(net.parameters(), lr=0.1)
WHAT
def step(x):
    loss = (net(x).exp() ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss
COMPILE
print([step(gt.randn(5, 6)).item() for _ in range(9)], net[0].weight.tolist())
"""


@pytest.mark.parametrize("mode", ["default", "reduce-overhead", "max-autotune"])
def test_no_mode_changes_a_bit(mode):
    """Of functions, of modules, of a single layer; and where the setting says it."""
    plain = run(MODES.replace("WHAT", "").replace("COMPILE", ""))
    for what, whole in (
        ("", f"step = gt.compile(step, mode={mode!r})"),
        (f"gt.compile(net, mode={mode!r})", ""),
        (f"gt.compile(net[1], mode={mode!r})", ""),
    ):
        program = MODES.replace("WHAT", what).replace("COMPILE", whole)
        assert run(program) == plain
        assert run(program, GT_CHECK="1") == plain
    program = MODES.replace("WHAT", "").replace("COMPILE", "")
    assert run(program, GT_COMPILE="1", GT_COMPILE_MODE=mode) == plain
    assert run(program, GT_AUTO_COMPILE="1", GT_HOTPATH_THRESHOLD="2", GT_QUIET="1",
               GT_COMPILE_MODE=mode) == plain


def test_a_setting_that_is_no_mode():
    done = subprocess.run(
        [sys.executable, "-c", "import gt; gt.ones(1)"],
        capture_output=True, text=True, env={**PLAIN, "GT_COMPILE_MODE": "fast"})
    assert "GT_COMPILE_MODE='fast': expected one of default|reduce-overhead|max-autotune" in (
        done.stderr)


def test_counts():
    """100 iterations at threshold 10: 100 runs, 90 of them hot, one pattern, one path."""
    out = run(STATS + """
x = gt.ones(4)
for _ in range(100):
    y = (x * 0.5 + 1).sin()
s = hot()
print(s["total_batches"], s["hot_batches_executed"], s["unique_patterns"], s["hot_paths"],
    s["hot_threshold"])
""", GT_AUTO_COMPILE="1", GT_QUIET="1")
    assert out == "100 90 1 1 10\n"


LOOP = """
x = gt.ones(4)
for _ in range(100):
    y = (x * 0.5 + 1).sin()
gt.compile_wait()
"""


def test_lines():
    out = run(LOOP, GT_AUTO_COMPILE="1", GT_HOTPATH_TIER="1").splitlines()
    assert out[0] == "Worker worker_0: Hot path detection enabled (threshold=10)"
    assert len(out) == 2 and out[1].startswith("[HotPath] Detected hot sequence after 10 reps: ")
    assert out[1].endswith(":3ops)") and "Stream(" in out[1]
    assert run(LOOP, GT_AUTO_COMPILE="1", GT_QUIET="1") == ""
    assert run(LOOP) == ""
    out = run(LOOP, GT_AUTO_COMPILE="1", GT_DEBUG_COMPILE="1")
    assert "[HotPath] Starting hot sequence (length=3)\n" in out
    assert "[COMPILE] Detected hot sequence: mul -> add -> sin (executed 10 times)\n" in out


def test_a_run_that_breaks_off_is_told_of():
    out = run(LOOP + """
y = x * 0.5
for k in range(100):
    y = (y.abs() if k % 7 else y.exp()) if k % 3 else y.tanh()
y.sum().item()
print("exits", gt.debug.get_worker_stats()["worker_0"]["hotpath"]["exits"])
""", GT_AUTO_COMPILE="1", GT_DEBUG_COMPILE="1")
    start = "[HotPath] Input missing, flushing buffer and executing eagerly: t"
    missing = [line for line in out.splitlines() if line.startswith(start)]
    assert missing and missing[0].endswith("where add was expected"), out
    assert f"exits {len(missing)}\n" in out


def test_a_signal_is_named_by_a_string():
    with pytest.raises(TypeError, match=r"^compile\(\) argument 1 must be str"):
        gt.signal.compile(3)
