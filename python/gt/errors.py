"""The exceptions of gt.

Each derives from GTError, which is a RuntimeError, and from the builtin exception that fits.
Those named
like a builtin (IndexError, ValueError, ...) are found here only; the others are attributes of
gt, too.
"""

import builtins

from gt._gt import _errors

globals().update(_errors)
KeyboardInterrupt = builtins.KeyboardInterrupt
__all__ = [name for name in _errors if not hasattr(builtins, name)]
