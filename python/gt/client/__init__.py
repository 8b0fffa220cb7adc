"""gt.client.nn is gt.nn."""

import sys

from gt import nn

# One module under two names: `import gt.client.nn.functional` finds the same objects, too.
for _name, _module in list(sys.modules.items()):
    if _name == "gt.nn" or _name.startswith("gt.nn."):
        sys.modules[_name.replace("gt.nn", "gt.client.nn", 1)] = _module
