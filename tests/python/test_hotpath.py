"""gt.hotpath_detector: marked iterations, loops found by wiring, the switch."""

import gc
import subprocess
import sys
import weakref

import pytest

import gt
from gt.hotpath_detector import HotPathDetector, enable_hot_path_detection

COUNTS = {
    "total_batches",
    "hot_batches_executed",
    "unique_patterns",
    "hot_paths",
    "hot_threshold",
    "total_instructions",
}


def iteration(detector, size=64):
    detector.begin_iteration()
    detector.record_operation("matmul", input_shape=(size, 64))
    detector.record_operation("relu", input_shape=(size, 64))
    return detector.end_iteration()


def test_iterations():
    detector = HotPathDetector(hot_threshold=10)
    assert [iteration(detector) for _ in range(100)] == [False] * 9 + [True] * 91
    assert detector.should_compile() is True
    assert detector.get_stats() == {
        "total_batches": 100,
        "hot_batches_executed": 90,
        "unique_patterns": 1,
        "hot_paths": 1,
        "hot_threshold": 10,
        "total_instructions": 200,
    }


def test_the_first_operation_begins_an_iteration():
    detector = HotPathDetector(2)
    for hot in (False, True):
        detector.record_operation("exp")
        assert detector.end_iteration() is hot
    assert detector.end_iteration() is False
    assert not detector.should_compile()


@pytest.mark.parametrize("agnostic", [False, True])
def test_shapes(agnostic):
    detector = HotPathDetector(hot_threshold=3, shape_agnostic=agnostic)
    assert [iteration(detector, size) for size in (1, 2, 3)] == [False, False, agnostic]
    assert detector.get_stats()["unique_patterns"] == (1 if agnostic else 3)


def test_an_unknown_shape_is_not_a_scalar():
    detector = HotPathDetector(hot_threshold=2)
    detector.record_operation("exp")
    detector.end_iteration()
    detector.record_operation("exp", input_shape=())
    assert detector.end_iteration() is False
    detector.record_operation(op="exp", input_shape=None)
    assert detector.end_iteration() is True


def loop(detector, k, swap=False):
    """One step of a loop whose parameter w is carried from step to step."""
    w = f"w{k}"
    detector.record_instruction("binary", "matmul", f"h{k}", ["x", w])
    detector.record_instruction(op_type="unary", op_name="relu", result_id=f"r{k}",
                                input_ids=(f"h{k}",))
    inputs = [f"r{k}", w] if swap else [w, f"r{k}"]
    return detector.record_instruction("binary", "sub", f"w{k + 1}", inputs)


def test_loops_by_wiring():
    detector = HotPathDetector(hot_threshold=10)
    answers = [loop(detector, k) for k in range(100)]
    assert answers[:9] == [(False, 0)] * 9
    assert answers[12:] == [(True, 3)] * 88
    stats = detector.get_stats()
    assert stats.keys() == COUNTS
    assert stats["total_instructions"] == 300 and stats["hot_paths"] == 1
    assert stats["total_batches"] - stats["hot_batches_executed"] == 10


def test_wiring_inside_an_iteration():
    detector = HotPathDetector(hot_threshold=2)

    def marked(k, swap):
        detector.begin_iteration()
        loop(detector, k, swap)
        return detector.end_iteration()

    assert [marked(0, False), marked(7, True), marked(3, False)] == [False, False, True]


def test_ids_may_be_anything_that_prints():
    detector = HotPathDetector(hot_threshold=3)
    for k in range(20):
        hot, length = detector.record_instruction("unary", "tanh", k + 1, [k])
        detector.record_instruction("unary", "exp", ("side", k), iter([k + 1]))
        detector.record_instruction("creation", "full", f"c{k}")
    assert hot is True and length == 3


def test_batches():
    detector = HotPathDetector(hot_threshold=3)
    batch = [
        "exp",
        ("matmul", (4, 4)),
        {"op": "relu", "input_shape": (4, 4)},
        {"op_type": "binary", "op_name": "add", "result_id": "c", "input_ids": ["a", "b"]},
    ]
    assert detector.record_batch(batch) is False
    assert detector.record_batch_completion(batch) is None
    assert detector.record_batch(batch) is True
    assert detector.record_batch(batch[:2]) is False
    assert detector.get_stats()["unique_patterns"] >= 2


def test_mistakes():
    for wrong in (0, -1):
        with pytest.raises(gt.GTError, match="hot_threshold"):
            HotPathDetector(hot_threshold=wrong)
        with pytest.raises(gt.GTError, match="hot_threshold"):
            enable_hot_path_detection(wrong)
    with pytest.raises(TypeError):
        HotPathDetector(hot_threshold="ten")
    detector = HotPathDetector()
    with pytest.raises(TypeError):
        detector.record_operation(3)
    with pytest.raises(TypeError):
        detector.record_operation("exp", input_shape="large")
    with pytest.raises(TypeError):
        detector.record_instruction("unary", "exp", "y", 3)
    with pytest.raises(gt.GTError, match="65 inputs"):
        detector.record_instruction("n", "cat", "y", ["x"] * 65)
    assert detector.get_stats()["total_instructions"] == 0


def test_an_input_that_does_not_print():
    class Silent:
        def __str__(self):
            raise KeyError("silent")

    detector = HotPathDetector()
    with pytest.raises(KeyError, match="silent"):
        detector.record_instruction("unary", "exp", "y", ["x", Silent()])
    with pytest.raises(KeyError, match="silent"):
        detector.record_instruction("unary", "exp", Silent(), ["x"])


def test_it_goes_away():
    class Watched(HotPathDetector):
        pass

    detector = Watched()
    iteration(detector)
    gone = weakref.ref(detector)
    del detector
    gc.collect()
    assert gone() is None


def test_other_name():
    import gt.worker.hotpath_detector as other

    assert other.HotPathDetector is HotPathDetector
    from gt.worker.hotpath_detector import enable_hot_path_detection as same

    assert same is enable_hot_path_detection


def test_documented():
    for name in ("enable_hot_path_detection", "HotPathDetector"):
        assert getattr(gt.hotpath_detector, name).__doc__
    for name in dir(HotPathDetector):
        assert name.startswith("_") or getattr(HotPathDetector, name).__doc__, name


PROGRAM = """
import gt
from gt.worker.hotpath_detector import HotPathDetector, enable_hot_path_detection
x = gt.ones(3)
before = x.sum().item()
{enable}
for _ in range(30):
    x = x * 0.5 + 1.0
print(before, x.tolist() == [x[0].item()] * 3)
"""


@pytest.mark.parametrize(
    "enable",
    [
        "enable_hot_path_detection()",
        "enable_hot_path_detection(hot_threshold=3)",
        "HotPathDetector(hot_threshold=3, enable_auto_compile=True)",
    ],
)
def test_enabled_after_the_start(enable):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(enable=enable)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "3.0 True"
