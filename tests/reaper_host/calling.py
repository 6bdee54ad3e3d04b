"""The simulated `reaper_python`: every function with its arity, its packing of arguments and its result tuple.

What REAPER's generated Python does between the script and C is done here: numbers go through ctypes (so that a float
where an int belongs fails as it does there), pointer strings through the module's own `rpr_packp` (which `import reapy`
replaces), strings through UTF-8 and their buffers' sizes, and NULL strings fail. [a: PY, HTML6]
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tests.reaper_host.errors import HostFault, NotSimulated, ReaperCrash
from tests.reaper_host.pointers import VALIDATED, parsed, pointer_string
from tests.reaper_host.project_state import Master
from tests.reaper_host.registry import IMPLEMENTED, Out
from tests.reaper_host.signatures import Argument, Signature, signatures

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost

BUFFER_SIZE = 4 * 1024 * 1024
"""The size of every string buffer REAPER's Python gives to C. [a: PY]"""
_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda value: ctypes.c_int(value).value,
    "double": lambda value: ctypes.c_double(value).value,
    "byte": lambda value: ctypes.c_byte(value).value,
    "address": lambda value: ctypes.c_uint64(value).value,
}
_EMPTY = {"byte": 0, "int": 0, "double": 0.0, "void": None, "text": ""}


def build_module(host: ReaperHost) -> ModuleType:
    """Return a fresh `reaper_python` whose functions work on `host`. [a: PY]"""
    module = ModuleType("reaper_python")
    names = {f"RPR_{name}": _function(host, module, signature) for name, signature in signatures().items()}
    module.__dict__.update(names)
    module.__dict__.update(
        _ft=_FunctionTable(host),
        rpr_initft=lambda table: None,
        rpr_getfp=lambda name: module.__dict__["_ft"][name],
        rpr_packp=lambda kind, value: _validated(host, kind, value),
        rpr_unpackp=pointer_string,
        rpr_packsc=lambda value: ctypes.c_char_p(str(value).encode()),
        rpr_packs=lambda value: ctypes.create_string_buffer(str(value).encode(), BUFFER_SIZE),
        rpr_unpacks=lambda buffer: str(buffer.value.decode()),
    )
    return module


def _validated(host: ReaperHost, kind: str, value: object) -> int:
    """Pack a pointer string: another type, junk or a stale pointer is 0. [a: PY]"""
    found = parsed(value)
    if found is None or kind not in (found[0], "void*"):
        return 0
    return found[1] if is_valid(host, found[1], kind) else 0


def is_valid(host: ReaperHost, address: int, kind: str) -> bool:
    """Do what ValidatePtr does. [a: HDR; that other types than its own list pass while they live is an assumption]"""
    found = host.pointers.lookup(address)
    if found is None:
        return False
    if kind not in VALIDATED:
        return kind in ("void*", found[0])
    project = getattr(found[1], "project", None) or getattr(getattr(found[1], "track", None), "project", None)
    return kind == found[0] and (project is None or project is host.project)


def _function(host: ReaperHost, module: ModuleType, signature: Signature) -> Callable[..., Any]:
    count = len(signature.arguments)

    def call(*given: Any) -> Any:
        if len(given) != count:
            raise TypeError(f"RPR_{signature.name}() takes {count} positional arguments but {len(given)} were given")
        with host.inside_api(signature.name):
            return _call(host, module, signature, given)

    call.__name__ = call.__qualname__ = f"RPR_{signature.name}"
    call.__module__ = "reaper_python"
    return call


def _call(host: ReaperHost, module: ModuleType, signature: Signature, given: tuple[Any, ...]) -> Any:
    if threading.get_ident() != host.thread:
        raise host.violation(ReaperCrash(f"{signature.name} was called from another thread than REAPER's own"))
    packed = [
        _packed(host, module, argument, value) for argument, value in zip(signature.arguments, given, strict=True)
    ]
    implementation = IMPLEMENTED.get(signature.name)
    if implementation is None:
        raise host.violation(NotSimulated(f"RPR_{signature.name} exists in REAPER but is not simulated"))
    pairs = list(zip(signature.arguments, packed, strict=True))
    things = [_thing(host, signature, argument, value) for argument, value in pairs]
    is_null = any(
        thing is None and argument.is_pointer for argument, thing in zip(signature.arguments, things, strict=True)
    )
    if is_null and not implementation.takes_null:
        result: Any = _EMPTY.get(signature.result)
    else:
        result = _implemented(host, signature.name, implementation.call, things)
    return _result(host, signature, given, packed, result)


def _implemented(host: ReaperHost, name: str, call: Callable[..., Any], things: list[Any]) -> Any:
    """Call the implementation of a function; an error in it must not look like one of the script."""
    try:
        return call(host, *things)
    except AttributeError as error:
        if any(isinstance(thing, Master) for thing in things):
            raise host.violation(NotSimulated(f"RPR_{name} is not simulated for the master track")) from error
        raise host.violation(HostFault(f"RPR_{name}: {error!r}")) from error
    except Exception as error:
        raise host.violation(HostFault(f"RPR_{name}: {error!r}")) from error


def _packed(host: ReaperHost, module: ModuleType, argument: Argument, value: Any) -> Any:
    if argument.is_pointer:
        return module.__dict__["rpr_packp"](argument.kind, value)
    if argument.kind == "text":
        return _c_string(str(value).encode())
    if argument.kind == "buffer":
        raw = str(value).encode()
        if len(raw) > BUFFER_SIZE:
            raise ValueError("byte string too long")  # as create_string_buffer reports
        if host.switches.allocates_string_buffers:
            module.__dict__["rpr_packs"](value)
        return _c_string(raw)
    if argument.kind == "list":
        return value
    return _NUMBERS[argument.kind](value)


def _c_string(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode()


def _thing(host: ReaperHost, signature: Signature, argument: Argument, value: Any) -> Any:
    if not argument.is_pointer or argument.kind == "void*":
        return value or None if argument.kind == "void*" else value
    if value == 0:
        return host.project if argument.kind == "ReaProject*" else None
    found = host.pointers.lookup(value)
    if found is None or found[0] != argument.kind:
        message = (
            f"{signature.name} got {pointer_string(argument.kind, value)}, which is stale: reapy checks no pointers"
        )
        raise host.violation(ReaperCrash(message))
    return found[1]


def _result(host: ReaperHost, signature: Signature, given: tuple[Any, ...], packed: list[Any], result: Any) -> Any:
    out = result if isinstance(result, Out) else Out(result)
    value = _returned(host, signature, out.result)
    if signature.name == "GetAudioAccessorSamples":
        return value, given[5]
    if not signature.returns_tuple:
        return value
    values = iter(out.values)
    echoed = []
    for place, argument in enumerate(signature.arguments):
        if not argument.is_out:
            echoed.append(given[place])
            continue
        changed = next(values, None)
        size = packed[place + 1] if argument.is_sized else BUFFER_SIZE
        echoed.append(_given_back(host, signature, argument, packed[place] if changed is None else changed, size))
    return tuple(echoed) if signature.result == "void" else (value, *echoed)


def _given_back(host: ReaperHost, signature: Signature, argument: Argument, value: Any, size: int) -> Any:
    if argument.kind != "buffer":
        return {"double": float, "int": int, "byte": int}[argument.kind](_NUMBERS[argument.kind](value))
    if size > BUFFER_SIZE:
        raise host.violation(
            ReaperCrash(f"{signature.name} was promised {size} bytes; Python's buffers have {BUFFER_SIZE}")
        )
    return str(value).encode()[: max(size - 1, 0)].decode() if size > 0 else str(value)


def _returned(host: ReaperHost, signature: Signature, value: Any) -> Any:
    if signature.result == "void":
        return None
    if signature.returns_pointer:
        return pointer_string(signature.result, host.pointers.address_of(signature.result, value))
    if signature.result == "text":
        if value is None:  # a NULL const char*  [a: PY, N782]
            raise AttributeError("'NoneType' object has no attribute 'decode'")
        return str(value)
    return float(value) if signature.result == "double" else int(value)


class _FunctionTable(dict[str, int]):
    """`_ft`: names to addresses of C functions, made when one is asked for. [a: PY, REAPY additional_api.py]"""

    def __init__(self, host: ReaperHost) -> None:
        super().__init__(dict.fromkeys(signatures(), 0))
        self._host, self._kept = host, {}  # type: ignore[var-annotated]

    def __getitem__(self, name: str) -> int:
        if name not in self:
            raise KeyError(name)
        if name not in self._kept:
            self._kept[name] = self._callback(name)
        return ctypes.cast(self._kept[name], ctypes.c_void_p).value or 0

    def _callback(self, name: str) -> Any:
        host = self._host
        if name == "ValidatePtr2":
            kind = ctypes.CFUNCTYPE(ctypes.c_byte, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_char_p)
            return kind(lambda _project, address, name: int(is_valid(host, address, name.decode())))

        def refuse() -> int:
            host.violation(NotSimulated(f"{name} exists in REAPER but is not simulated"))
            return 0

        return ctypes.CFUNCTYPE(ctypes.c_int)(refuse)
