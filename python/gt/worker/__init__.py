"""gt.worker.hotpath_detector is gt.hotpath_detector."""

import sys

from gt import hotpath_detector

# One module under two names.
sys.modules["gt.worker.hotpath_detector"] = hotpath_detector
