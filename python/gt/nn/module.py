"""Module: parameters, buffers and other modules under the names of attributes.

Attributes live where Python keeps them, in the instance's dictionary; a module only remembers,
in order,
which names are parameters, buffers and modules. A parameter is a leaf tensor that requires a
gradient:
assigning one registers it. Walks over children keep a list instead of recursing, so depth is no
limit.
"""

from collections import namedtuple

from gt import _gt
from gt._gt import Tensor
from gt.autograd import no_grad

__all__ = ["Module", "Parameter", "ModuleList", "ParameterList", "Sequential"]

IncompatibleKeys = namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])


class _ParameterType(type):
    def __instancecheck__(cls, x):
        return isinstance(x, Tensor) and x.is_leaf and x.requires_grad


class Parameter(metaclass=_ParameterType):
    """Parameter(data): a leaf with the elements of data that requires a gradient.

    isinstance(x, Parameter) asks whether x is a leaf that requires a gradient.
    """

    def __new__(cls, data, requires_grad=True):
        return _gt.as_tensor(data).detach().requires_grad_(requires_grad)


class Module(_gt._Caller):
    """Base of everything that has parameters. Subclasses assign layers in __init__ and define
    forward."""

    training = True
    _compiled = None        # the mode of gt.compile, in the instance's dictionary

    def __new__(cls, *args, **names):
        self = object.__new__(cls)
        self.__dict__.update(_parameters={}, _buffers={}, _modules={})
        return self

    def forward(self, *args, **names):
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def _call_compiled(self, *args, **names):
        _gt._compile_begin(self._compiled)
        try:
            return self.forward(*args, **names)
        finally:
            _gt._compile_end()

    # ---- attributes ------------------------------------------------------------------------------

    def __setattr__(self, name, value):
        if isinstance(value, Module):
            self._register("_modules", name)
        elif isinstance(value, Parameter):
            self._register("_parameters", name)
        elif name in self._parameters and value is not None:
            raise TypeError(
                f"{name} is a parameter: assign a gt.nn.Parameter, None, or change it in place "
                f"under gt.no_grad(); got {_kind(value)}"
            )
        elif name in self._modules and value is not None:
            _refuse_hidden(name, value)
            raise TypeError(
                f"{name} is a module: assign another gt.nn.Module, None, or delete it first; got "
                f"{_kind(value)}"
            )
        elif name in self._buffers and not (value is None or isinstance(value, Tensor)):
            raise TypeError(f"{name} is a buffer: assign a tensor or None, got {_kind(value)}")
        else:
            _refuse_hidden(name, value)
        self.__dict__[name] = value

    def __delattr__(self, name):
        object.__delattr__(self, name)
        for names in (self._parameters, self._buffers, self._modules):
            names.pop(name, None)

    def _register(self, kind, name):
        for other in ("_parameters", "_buffers", "_modules"):
            if other != kind:
                self.__dict__[other].pop(name, None)
        self.__dict__[kind][name] = True

    def register_parameter(self, name, param):
        """The same as assigning it; None reserves the name."""
        if param is not None and not (isinstance(param, Tensor) and param.is_leaf):
            raise TypeError(f"{name}: expected a gt.nn.Parameter or None, got {_kind(param)}")
        self._register("_parameters", name)
        self.__dict__[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        """A tensor that belongs to the state but is not trained; persistent=False leaves it out
        of state_dict."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected a tensor or None, got {_kind(tensor)}")
        self._register("_buffers", name)
        self._buffers[name] = persistent
        self.__dict__[name] = tensor

    def register_module(self, name, module):
        """The same as assigning it."""
        self.add_module(name, module)

    def add_module(self, name, module):
        """The same as assigning it; None reserves the name."""
        if module is None:
            self._register("_modules", name)
            self.__dict__[name] = None
        else:
            setattr(self, name, _module(name, module))

    # ---- walks -----------------------------------------------------------------------------------

    def named_children(self):
        for name in self._modules:
            if self.__dict__[name] is not None:
                yield name, self.__dict__[name]

    def children(self):
        for _, module in self.named_children():
            yield module

    def named_modules(self, prefix=""):
        """This module and all below it, parents first; each once, also where they form a circle."""
        seen, todo = set(), [(prefix, self)]
        while todo:
            name, module = todo.pop()
            if module not in seen:
                seen.add(module)
                yield name, module
                below = [
                    (f"{name}.{k}" if name else k, child) for k, child in module.named_children()
                ]
                todo.extend(reversed(below))

    def modules(self):
        for _, module in self.named_modules():
            yield module

    def _named(self, kind, prefix, recurse):
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name in module.__dict__[kind]:
                if module.__dict__[name] is not None:
                    yield f"{path}.{name}" if path else name, module, name

    def named_parameters(self, prefix="", recurse=True):
        """Names and parameters, each parameter once."""
        seen = set()
        for path, module, name in self._named("_parameters", prefix, recurse):
            p = module.__dict__[name]
            if p not in seen:
                seen.add(p)
                yield path, p

    def parameters(self, recurse=True):
        for _, p in self.named_parameters(recurse=recurse):
            yield p

    def named_buffers(self, prefix="", recurse=True):
        for path, module, name in self._named("_buffers", prefix, recurse):
            yield path, module.__dict__[name]

    def buffers(self, recurse=True):
        for _, b in self.named_buffers(recurse=recurse):
            yield b

    # ---- state -----------------------------------------------------------------------------------

    def _state(self):
        """name: (module, attribute) of all that state_dict holds, in its order."""
        places = {}
        for path, module in self.named_modules():
            lasting = [k for k, persistent in module._buffers.items() if persistent]
            for name in [*module._parameters, *lasting]:
                if module.__dict__[name] is not None:
                    places[f"{path}.{name}" if path else name] = module, name
        return places

    def state_dict(self):
        """Names and tensors of parameters and buffers. They share their elements with the
        module."""
        return {
            path: module.__dict__[name].detach() for path, (module, name) in self._state().items()
        }

    @no_grad()
    def load_state_dict(self, state_dict, strict=True):
        """Copy elements from a dict as state_dict makes it. Nothing is copied if anything does
        not fit."""
        own = self._state()
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        wrong = [
            f"{name} has shape {tuple(state_dict[name].shape)}, expected "
            f"{module.__dict__[attribute].shape}"
            for name, (module, attribute) in own.items()
            if name in state_dict
            and tuple(state_dict[name].shape) != module.__dict__[attribute].shape
        ]
        if strict:
            wrong += [f"{name} is missing" for name in missing] + [
                f"{name} is not expected" for name in unexpected
            ]
        if wrong:
            raise ValueError(f"load_state_dict of {type(self).__name__}: " + "; ".join(wrong))
        for name, (module, attribute) in own.items():
            if name in state_dict:
                module.__dict__[attribute].copy_(state_dict[name])
        return IncompatibleKeys(missing, unexpected)

    def train(self, mode=True):
        """Training mode for this module and all below it (dropout works in it)."""
        for module in self.modules():
            module.__dict__["training"] = bool(mode)
        return self

    def eval(self):
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        for p in self.parameters():
            _forget_gradient(p, set_to_none)

    def apply(self, fn):
        """fn of every module below, in their order and each before what holds it, then of this
        one."""
        seen, todo = set(), [(self, False)]
        while todo:
            module, done = todo.pop()
            if done:
                fn(module)
            elif module not in seen:
                seen.add(module)
                todo.append((module, True))
                todo += [(child, False) for child in reversed(list(module.children()))]
        return self

    def to(self, target):
        """'cpu', or a float dtype: parameters and float buffers become new tensors, so make
        optimisers after."""
        if target == "cpu":
            return self
        for module in self.modules():
            for name in [*module._parameters, *module._buffers]:
                x = module.__dict__[name]
                if x is not None and x.is_floating_point():
                    module.__dict__[name] = x.detach().to(target).requires_grad_(x.requires_grad)
        return self

    def float(self):
        return self.to(_gt.float32)

    def double(self):
        return self.to(_gt.float64)

    # ---- text ------------------------------------------------------------------------------------

    def extra_repr(self):
        """What stands in the parentheses of a module's text."""
        return ""

    def __repr__(self):
        """An indented tree, written without recursion; a module that contains itself is cut off."""
        lines, todo, open_ = [], [("", "", self)], set()
        while todo:
            indent, label, module = todo.pop()
            if module is None:
                open_.discard(label)
                lines.append(f"{indent})")
                continue
            start = f"{indent}{label}{type(module).__name__}("
            children = list(module.named_children())
            if not children or module in open_:
                lines.append(start + ("..." if children else module.extra_repr()) + ")")
                continue
            open_.add(module)
            lines += [start] + ([f"{indent}  {module.extra_repr()}"] if module.extra_repr() else [])
            todo.append((indent, module, None))
            todo += [(indent + "  ", f"({name}): ", child) for name, child in reversed(children)]
        return "\n".join(lines)


def _forget_gradient(p, set_to_none):
    if set_to_none:
        p.grad = None
    elif p.grad is not None:
        p.grad = p.grad.detach().clone().zero_()


def _kind(x):
    return "a tensor that is no parameter" if isinstance(x, Tensor) else type(x).__name__


def _module(name, x):
    if not isinstance(x, Module):
        _refuse_hidden(name, x)
        raise TypeError(f"{name}: expected a gt.nn.Module, got {_kind(x)}")
    return x


def _refuse_hidden(name, value):
    """Parameters that parameters() would not find are a mistake better told at once."""
    if isinstance(value, (list, tuple, dict, set)):
        members = value.values() if isinstance(value, dict) else value
        for x in members:
            if isinstance(x, (Module, Parameter)):
                better = "ModuleList" if isinstance(x, Module) else "ParameterList"
                raise TypeError(
                    f"{name} is a {type(value).__name__} that hides a {type(x).__name__} from "
                    f"parameters(): use gt.nn.{better}([...])"
                )
    elif not isinstance(value, (Tensor, type)) and callable(
        getattr(value, "named_parameters", None)
    ):
        raise TypeError(
            f"{name} is a {type(value).__module__}.{type(value).__name__}, whose parameters a "
            f"gt.nn.Module "
            f"cannot see: assign a gt.nn.Module itself"
        )


class ModuleList(Module):
    """Modules in a list, seen by parameters()."""

    def __init__(self, modules=()):
        self.extend(modules)

    def append(self, module):
        name = str(len(self))
        setattr(self, name, _module(name, module))
        return self

    def extend(self, modules):
        for module in modules:
            self.append(module)
        return self

    def insert(self, index, module):
        modules = list(self)
        modules.insert(index, module)
        self._replace(modules)

    def _replace(self, modules):
        for name in list(self._modules):
            delattr(self, name)
        for module in modules:
            ModuleList.append(self, module)

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter([self.__dict__[name] for name in self._modules])

    def __getitem__(self, index):
        chosen = list(self)[index]
        return type(self)(chosen) if isinstance(index, slice) else chosen

    def __setitem__(self, index, module):
        name = list(self._modules)[index]
        setattr(self, name, _module(name, module))

    def __delitem__(self, index):
        modules = list(self)
        del modules[index]
        self._replace(modules)


class ParameterList(Module):
    """Parameters in a list, seen by parameters()."""

    def __init__(self, parameters=()):
        self.extend(parameters)

    def append(self, parameter):
        name = str(len(self))
        setattr(self, name, parameter if isinstance(parameter, Parameter) else Parameter(parameter))
        return self

    def extend(self, parameters):
        for p in parameters:
            self.append(p)
        return self

    def __len__(self):
        return len(self._parameters)

    def __iter__(self):
        return iter([self.__dict__[name] for name in self._parameters])

    def __getitem__(self, index):
        return list(self)[index]

    def extra_repr(self):
        return ", ".join(f"{p.dtype} {p.shape}" for p in self)


class Sequential(ModuleList):
    """Modules called one after another: Sequential(a, b, c), or an ordered dict of them."""

    def __init__(self, *modules):
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                setattr(self, name, _module(name, module))
        else:
            self.extend(modules)

    def __getitem__(self, index):
        chosen = list(self)[index]
        return Sequential(*chosen) if isinstance(index, slice) else chosen

    def forward(self, x):
        own = self.__dict__
        for name in self._modules:
            x = own[name](x)
        return x
