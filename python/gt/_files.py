"""Tensors in files: the safetensors format (8 bytes of header length, a JSON header, the elements).

Nothing in such a file is executed, and nothing in it is believed: sizes, offsets and types are
checked
against each other and against the file's length before a tensor is made.
"""

import math
import os
import struct

from gt import _gt
from gt.errors import ProtocolError

HEADER_MAX = 100_000_000
# name in the file, dtype, format of the buffer protocol
DTYPES = [
    ("F32", _gt.float32, "f"),
    ("F64", _gt.float64, "d"),
    ("I32", _gt.int32, "i"),
    ("I64", _gt.int64, "q"),
    ("BOOL", _gt.bool, "?"),
]
NAME_OF = {dtype: name for name, dtype, _ in DTYPES}
BY_NAME = {name: (dtype, form) for name, dtype, form in DTYPES}


def save(tensors, path):
    """Write a dict of tensors, such as model.state_dict(), to a file. An existing file is
    replaced as a whole."""
    import json  # here, so that `import gt` does not pay for it

    header, blocks, at = {}, [], 0
    if not isinstance(tensors, dict):
        raise TypeError(
            f"gt.save: expected a dict of names and tensors (model.state_dict()), not "
            f"{type(tensors)}"
        )
    for name, x in tensors.items():
        if not isinstance(name, str) or name == "__metadata__" or not isinstance(x, _gt.Tensor):
            raise TypeError(f"gt.save: expected names and tensors, not {name!r}: {type(x)}")
        data = memoryview(x.detach())
        header[name] = {
            "dtype": NAME_OF[x.dtype],
            "shape": x.shape,
            "data_offsets": [at, at + data.nbytes],
        }
        blocks.append(data)
        at += data.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    _replace(path, [struct.pack("<Q", len(text)), text, *blocks])


def _replace(path, blocks):
    """Beside the old file first: a full disk or a crash leaves that one as it was."""
    path = os.fspath(path)
    temporary = f"{path}.{os.urandom(6).hex()}.new"
    try:
        with open(temporary, "xb") as out:
            for block in blocks:
                out.write(block)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def load(path):
    """The dict of tensors in a file written by save, or by anything else that writes
    safetensors."""
    import mmap

    path = os.fspath(path)
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size < 8:
            raise ProtocolError(
                f"{path}: not a safetensors file: it ends before the header's length"
            )
        with (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as bytes_,
            memoryview(bytes_) as view,
        ):
            header, data = _header(path, view)
            with data:
                return {
                    name: _tensor(data, *entry)
                    for name, entry in _entries(path, header, len(data)).items()
                }


def _header(path, view):
    import json

    (length,) = struct.unpack("<Q", view[:8])
    if length > min(HEADER_MAX, len(view) - 8):
        raise ProtocolError(
            f"{path}: at byte 0: a header of {length} bytes in a file of {len(view)}"
        )
    try:
        header = json.loads(bytes(view[8 : 8 + length]), object_pairs_hook=_no_doubles)
    except (ValueError, RecursionError) as e:
        raise ProtocolError(f"{path}: at byte 8: the header is not JSON: {e}") from None
    if not isinstance(header, dict):
        raise ProtocolError(f"{path}: at byte 8: the header is not an object")
    header.pop("__metadata__", None)
    return header, view[8 + length :]


def _no_doubles(pairs):
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name is used twice")
    return table


def _entries(path, header, size):
    """name: (dtype, format, shape, start, end), checked; the elements fill the file without
    gaps."""
    entries = {name: _entry(path, name, entry) for name, entry in header.items()}
    at = 0
    for name, (_, _, _, start, end) in sorted(entries.items(), key=lambda e: e[1][3:]):
        if start != at:
            raise ProtocolError(f"{path}: {name}: elements begin at {start}, expected {at}")
        at = end
    if at != size:
        raise ProtocolError(f"{path}: {size} bytes of elements, the header describes {at}")
    return entries


def _entry(path, name, entry):
    try:
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [*shape, start, end]
    except (TypeError, KeyError, ValueError):
        raise ProtocolError(
            f"{path}: {name}: expected dtype, shape and two data_offsets, got {entry}"
        ) from None
    if not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
        raise ProtocolError(
            f"{path}: {name}: sizes and offsets have to be integers from 0, got {numbers}"
        )
    if kind not in BY_NAME:
        raise ProtocolError(
            f"{path}: {name}: elements of type {kind!r}; gt reads {', '.join(BY_NAME)}"
        )
    dtype, form = BY_NAME[kind]
    if end - start != math.prod(shape) * dtype.itemsize:
        raise ProtocolError(f"{path}: {name}: {end - start} bytes for {kind} of shape {shape}")
    return dtype, form, shape, start, end


def _tensor(data, dtype, form, shape, start, end):
    if start == end:
        return _gt.zeros(shape, dtype=dtype)
    with data[start:end] as piece, piece.cast(form) as numbers:
        if dtype is _gt.bool and any(byte > 1 for byte in piece):
            raise ProtocolError(
                f"elements of type BOOL have to be 0 or 1 (bytes {start} to {end} of the data)"
            )
        return _gt.from_numpy(numbers).reshape(shape)
