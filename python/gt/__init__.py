"""GT: a multiplexing tensor framework.

    >>> import gt
    >>> x = gt.randn(3, 4)
    >>> (x @ x.T).shape
    (3, 3)

Names, arguments and results are those of PyTorch; NumPy's spellings (axis, keepdims) are taken too.
Every operation returns at once and runs elsewhere; reading a value waits for it. Nothing starts
before the first tensor is made.
"""

import atexit as _atexit
import os as _os

from gt import _gt

# Operations are attributed to the innermost line of code outside this folder.
_gt._set_home(_os.path.join(_os.path.dirname(_os.path.abspath(__file__)), ""))

from gt._gt import *
from gt._gt import __version__
from gt.errors import *
from gt._sugar import *

# Names of dtypes that are other words for one of them.
float = _gt.float32
double = _gt.float64
int = _gt.int32
long = _gt.int64

from gt import autograd, errors, signal
from gt.autograd import enable_grad, no_grad, set_grad_enabled
from gt._files import load, save
from gt import debug, nn, optim
from gt._compile import compile

_atexit.register(_gt._end)
