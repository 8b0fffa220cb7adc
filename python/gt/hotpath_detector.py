"""What repeats in a program: the detector of the workers, to be fed by hand, and its switch.

    >>> from gt.hotpath_detector import HotPathDetector
    >>> detector = HotPathDetector(hot_threshold=2)
    >>> for step in range(3):
    ...     detector.begin_iteration()
    ...     detector.record_operation("matmul", input_shape=(64, 64))
    ...     print(detector.end_iteration())
    False
    True
    True
"""

from collections.abc import Iterable, Mapping
from typing import Any

from gt import _gt

__all__ = ["HotPathDetector", "enable_hot_path_detection"]


class HotPathDetector(_gt._Detector):
    """Finds iterations and loops that repeat; it executes nothing.

    Iterations that the program marks (`begin_iteration`, `record_operation`, `end_iteration`) are
    counted whatever their length; shapes are part of them unless `shape_agnostic`. Instructions
    (`record_instruction`) need no marks: loops are found by their wiring. What was seen
    `hot_threshold` times is hot. `enable_auto_compile` switches detection on in the workers, too.
    """

    def __new__(
        cls,
        hot_threshold: int = 10,
        shape_agnostic: bool = False,
        enable_auto_compile: bool = False,
    ):
        self = super().__new__(cls, hot_threshold, shape_agnostic)
        if enable_auto_compile:
            enable_hot_path_detection(hot_threshold)
        return self

    def record_batch(self, operations: Iterable[Any]) -> bool:
        """A whole iteration at once; True once it is hot.

        An operation is a name, a pair (name, input shape), or a mapping with the arguments of
        `record_operation` or of `record_instruction`.
        """
        self.begin_iteration()
        for operation in operations:
            self._record(operation)
        return self.end_iteration()

    def record_batch_completion(self, operations: Iterable[Any]) -> None:
        """Count an iteration that has run elsewhere: `record_batch` without an answer."""
        self.record_batch(operations)

    def _record(self, operation):
        if isinstance(operation, str):
            self.record_operation(operation)
        elif not isinstance(operation, Mapping):
            self.record_operation(*operation)
        elif "op_name" in operation:
            self.record_instruction(**operation)
        else:
            self.record_operation(**operation)


def enable_hot_path_detection(hot_threshold: int | None = None) -> None:
    """Let the workers of this process look for hot paths, as GT_AUTO_COMPILE=1 does, also after
    they have started. Without a threshold it is GT_HOTPATH_THRESHOLD's."""
    _gt._enable_hot_paths(hot_threshold)
