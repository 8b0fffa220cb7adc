"""What happens to the process: exits, forks, Ctrl-C, threads, disconnect. Each case is a program
of its own."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import gt

START = "import gt, os, sys, threading, time\n"


def run(program, *, status=0, timeout=60, **env):
    """Output of a program that has to end with the status; its error output has to be empty if
    that is 0."""
    done = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **env},
    )
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    if status == 0:
        assert done.stderr == ""
    return done.stdout + done.stderr


# ---- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        "",
        "gt.ones(1)",
        "print(gt.ones(1).item())",
        "gt.ones(1); gt.disconnect()",
        "gt.disconnect(); gt.disconnect()",
        "x = gt.ones(3); gt.disconnect(); gt.ones(1); gt.disconnect()",
        "gt.synchronize()",
        "gt.ones(1); gt.synchronize()",
        "x = gt.randn(1500, 1500)\nfor _ in range(30): x = x @ x * 1e-3",
        "a = gt.ones(2).numpy(); gt.disconnect(); print(a)",
        "a = memoryview(gt.ones(2))",
        "x = gt.ones(1, requires_grad=True); y = x * 2",
        "gt.signal.enter('a')",
        "sys.exit(0)",
        "threading.Thread(target=lambda: gt.ones(5).sum().item()).start()",
        "threading.Thread(target=lambda: [gt.randn(99, 99) @ gt.randn(99, 99) for _ in "
        "range(10**9)], daemon=True).start(); time.sleep(0.2)",
        "threading.Thread(target=lambda: [gt.randn(300, 300).sum().item() for _ in "
        "range(10**9)], daemon=True).start(); time.sleep(0.2)",
        "import atexit; atexit.register(lambda: print(gt.ones(1).item()))",
        "x = gt.arange(3)[gt.tensor([9])]",
    ],
)
def test_clean_exits(program):
    run(program)


def test_exits_with_an_error():
    assert "ShapeError" in run(
        "x = gt.randn(900, 900) @ gt.randn(900, 900); gt.ones(2) + gt.ones(3)", status=1
    )
    assert "IndexError" in run("gt.arange(3)[gt.tensor([9])].tolist()", status=1)
    run("x = gt.randn(900, 900) @ gt.randn(900, 900); sys.exit(7)", status=7)
    run("x = gt.randn(900, 900) @ gt.randn(900, 900); os._exit(3)", status=3)
    assert "ZeroDivisionError" in run("with gt.signal.context('a'):\n    1 / 0", status=1)


def test_after_the_end():
    run("""
        import atexit
        @atexit.register
        def late():
            try:
                gt.ones(1)
            except gt.ClosedError as e:
                print(e)
        atexit.unregister(gt._gt._end)
        gt.ones(1)
        gt._gt._end()
    """)


def test_nothing_starts_before_the_first_use():
    out = run("""
        before = threading.active_count(), len(os.listdir("/proc/self/task"))
        gt.nn.functional, gt.optim.SGD, gt.float32, gt.is_grad_enabled(), gt.synchronize(),
        gt.signal.current()
        print(len(os.listdir("/proc/self/task")) == before[1], "numpy" in sys.modules)
    """)
    assert out.split() == ["True", "False"]


def test_without_numpy():
    run("""
        sys.modules["numpy"] = None
        x = gt.tensor([[1.0, 2.0]])
        assert x.tolist() == [[1.0, 2.0]] and repr(x) and memoryview(x).tolist() == [[1.0, 2.0]]
        try:
            x.numpy()
        except ImportError:
            pass
        else:
            sys.exit("numpy() without NumPy")
    """)


def test_no_thread_is_left_by_disconnect():
    out = run(
        """
        n = len(os.listdir("/proc/self/task"))
        gt.ones(1).item()
        gt.disconnect()
        for _ in range(100):
            if len(os.listdir("/proc/self/task")) == n:
                break
            time.sleep(0.02)
        print(len(os.listdir("/proc/self/task")) - n)
    """,
        OPENBLAS_NUM_THREADS="1",
    )
    assert int(out) == 0


# ---- disconnect ----------------------------------------------------------------------------------


def test_after_disconnect():
    run("""
        x = gt.ones(3, requires_grad=True)
        y = x * 2
        a = y.numpy()
        gt.disconnect()
        for f in (lambda: x + 1, lambda: y.tolist(), lambda: x.sum(), lambda: repr(x), lambda:
        y.backward(), lambda: x.grad,
                  lambda: gt.ones(3) + x, lambda: x[0], lambda: x.__setitem__(0, 1), lambda:
                  gt.cat([x]), lambda: bool(x),
                  lambda: x.numpy(), lambda: x.copy_(1), lambda: gt.nn.Linear(3, 1)(x), lambda:
                  x.detach(), lambda: iter(x),
                  lambda: setattr(x, "requires_grad", False), lambda: setattr(x, "grad", None),
                  lambda: gt.tensor(x)):
            try:
                f()
            except gt.ClosedError as e:
                assert "closed" in str(e), e
            else:
                sys.exit("no error")
        assert x.shape == (3,) and a.tolist() == [2, 2, 2] and gt.ones(2).tolist() == [1, 1]
    """)


def test_workers():
    """Cores are shared out among workers: the number of threads shows how many there are."""
    said = subprocess.run(
        [sys.executable, "-c", WORKERS],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "GT_VERBOSE": "1", "GT_THREADS": "0", "GT_QUIET": "0"},
    )
    assert said.returncode == 0, said.stderr
    threads = [int(n) for n in re.findall(r"(\d+) threads", said.stderr)]
    assert threads[0] == 1 and threads[1] == max(threads[2] // 2, 1)


WORKERS = """
import gt
gt.workers(2)
gt.gpu_workers(1024)
assert (gt.ones(3) * 2).tolist() == [2, 2, 2]
try:
    gt.workers(2)
except gt.StateError as e:
    assert "before" in str(e)
else:
    raise SystemExit("no error")
for n in 2, 1:
    gt.disconnect()
    gt.workers(n)
    assert gt.ones(3).sum().item() == 3
gt.disconnect()
for n in 0, -1, 1025, 2**32 + 1:
    try:
        gt.workers(n)
    except ValueError as e:
        assert "1 to 1024" in str(e)
    else:
        raise SystemExit(f"{n} workers")
"""

def test_malformed_settings():
    assert "GT_WORKERS" in run("gt.ones(1)", status=1, GT_WORKERS="many")


def test_interrupt_while_tensors_are_freed():
    """The queue is full of products, and thousands of freed tensors wait for room behind them."""
    out = run(
        """
        import subprocess
        m, x = gt.ones(1000, 1000), gt.ones(10)
        many = [x.T for _ in range(4000)]
        gt.synchronize()
        products = [m @ m for _ in range(20)]
        del many
        subprocess.Popen(["sh", "-c", f"sleep 0.1; kill -INT {os.getpid()}"])
        try:
            while True:
                y = gt.cross_entropy(x, gt.tensor(1))
        except KeyboardInterrupt:
            print("interrupted")
        print(products[-1].sum().item(), x.sum().item())
    """,
        GT_RUNAHEAD="30",
    )
    assert out.split() == ["interrupted", "1000000000.0", "10.0"]


# ---- forks ---------------------------------------------------------------------------------------


def test_fork():
    out = run("""
        x = gt.ones(3)
        kept = x.numpy()
        pid = os.fork()
        if pid == 0:
            for f in (lambda: x + 1, lambda: gt.ones(1), lambda: x.tolist(), lambda:
            gt.manual_seed(0)):
                try:
                    f()
                    os._exit(1)
                except gt.ForkError as e:
                    assert "spawn" in str(e)
            gt.disconnect()
            del x, kept
            sys.exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
        print((x + 1).tolist())
    """)
    assert out == "[2.0, 2.0, 2.0]\n"


def test_fork_before_the_first_use():
    run("""
        pid = os.fork()
        assert gt.ones(2).sum().item() == 2
        if pid:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    """)


def test_spawned_processes_and_subprocesses():
    run("""
        import multiprocessing, subprocess
        gt.ones(1).item()
        assert subprocess.run(["true"]).returncode == 0
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply(abs, (-1,)) == 1
        assert gt.ones(1).item() == 1
    """)


# ---- Ctrl-C --------------------------------------------------------------------------------------

LONG = """
x = gt.randn(1200, 1200)
y = x
for _ in range(300):
    y = y @ x * 1e-3
"""


def interrupt(program, times=1):
    """Send SIGINT to a program once it has printed a line; output and status."""
    child = subprocess.Popen(
        [sys.executable, "-c", START + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout.readline() == "waiting\n"
        for _ in range(times):
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
        begin = time.monotonic()
        out, err = child.communicate(timeout=20)
        return out, err, child.returncode, time.monotonic() - begin
    finally:
        child.kill()


def test_interrupted_read():
    out, err, status, seconds = interrupt(LONG + """
print("waiting", flush=True)
try:
    y.sum().item()
except KeyboardInterrupt:
    print("interrupted")
print("alive")
""")
    assert out == "interrupted\nalive\n" and status == 0 and seconds < 10, err


def test_interrupted_program():
    out, err, status, seconds = interrupt(LONG + "print('waiting', flush=True)\ny.sum().item()")
    assert "KeyboardInterrupt" in err and status == -signal.SIGINT and seconds < 10, err


def test_interrupted_synchronize_and_queue():
    out, err, status, seconds = interrupt(LONG + "print('waiting', flush=True)\ngt.synchronize()")
    assert "KeyboardInterrupt" in err and seconds < 10
    out, err, status, seconds = interrupt("""
x = gt.randn(1200, 1200)
print('waiting', flush=True)
while True:
    y = x @ x
""")
    assert "KeyboardInterrupt" in err and seconds < 10


def test_a_handler_that_returns():
    """The wait goes on; gt is not to be used inside of the handler."""
    out, err, status, seconds = interrupt(
        """
import signal
seen = []
def handler(number, frame):
    seen.append(number)
signal.signal(signal.SIGINT, handler)
x = gt.randn(1200, 1200)
y = x
for _ in range(100):
    y = y @ x * 0.03
print('waiting', flush=True)
v = y.sum().item()
print(len(seen), v == v)
""",
        times=1,
    )
    assert out == "1 True\n" and status == 0, err


# ---- threads -------------------------------------------------------------------------------------


def test_threads():
    results, errors = {}, []

    def work(k):
        try:
            x = gt.full((40, 40), 1 + k / 10)
            w = gt.ones(40, 1, requires_grad=True)
            for _ in range(50):
                loss = (x @ w).mean()
                loss.backward()
                with gt.no_grad():
                    w -= 0.0 * w.grad
                w.grad = None
                value = loss.item()
            results[k] = value
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors and all(abs(results[k] - 40 * (1 + k / 10)) < 1e-3 for k in range(4))


def test_a_waiting_thread_does_not_hold_the_interpreter():
    x = gt.randn(400, 400)
    done = threading.Event()

    def work():
        y = x
        for _ in range(40):
            y = y @ x * 1e-3
        y.sum().item()
        done.set()

    t = threading.Thread(target=work)
    t.start()
    ticks = 0
    while not done.is_set():
        time.sleep(0.001)
        ticks += 1
        assert (gt.ones(3) + 1).shape == (3,)
    t.join()
    assert ticks > 5


def test_tensors_dropped_by_other_threads():
    many = [gt.full((3,), k) for k in range(5000)]
    t = threading.Thread(target=many.clear)
    t.start()
    for k in range(1000):
        gt.full((3,), k) + 1
    t.join()
    assert gt.ones(2).sum().item() == 2


def test_garbage_collected_in_circles():
    import gc

    class Node:
        pass

    for _ in range(100):
        a, b = Node(), Node()
        a.other, b.other, a.x = b, a, gt.ones(10)
    del a, b
    gc.collect()
    assert gt.ones(1).item() == 1


def test_memory_stays_flat():
    out = run("""
        import resource
        model = gt.nn.Sequential(gt.nn.Linear(8, 16), gt.nn.ReLU(), gt.nn.Linear(16, 1))
        optimizer = gt.nn.Adam(model.parameters())
        x, y = gt.randn(4, 8), gt.randn(4, 1)
        def step(n):
            for _ in range(n):
                loss = gt.mse_loss(model(x), y)
                optimizer.zero_grad(); loss.backward(); optimizer.step(); loss.item()
        step(500)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        step(4000)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """)
    assert int(out) < 1024, f"{out} KiB more after 4,000 steps"


def test_out_of_memory():
    run(
        """
        small = gt.ones(1000)
        big = gt.ones(30_000_000) + 1
        try:
            big.sum().item()
            sys.exit("no error")
        except MemoryError as e:
            assert isinstance(e, gt.OutOfMemory), e
        assert small.sum().item() == 1000
    """,
        GT_MEMORY="64M",
    )


def test_import_is_quick():
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    bare = time.perf_counter() - begin
    best = min(timed_import() for _ in range(3))
    assert best - bare < 0.15, f"import gt takes {best - bare:.3f} s"


def timed_import():
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import gt"], check=True)
    return time.perf_counter() - begin
