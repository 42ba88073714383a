"""Config and summary: dicts that tell the run when they change."""

import dataclasses
import os
from collections.abc import Mapping, MutableMapping


def plain(value, depth=0):
    """A value as config keeps it: None, bool, int, float, str, lists of these, dicts of these."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if depth > 32:
        return repr(value)[:1000]
    if isinstance(value, Mapping):
        return {str(key): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [leaf(plain(inner, depth + 1)) for inner in value]
    if isinstance(value, (set, frozenset)):
        return [leaf(plain(inner, depth + 1)) for inner in sorted(value, key=repr)]
    if isinstance(value, (bool, int, float, str)):
        # Subclasses, enums among them: the value itself.
        for kind in (bool, int, float, str):
            if isinstance(value, kind):
                return kind(value) if kind is not str else str.__str__(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), depth + 1) for field in dataclasses.fields(value)}
    if isinstance(value, os.PathLike):
        return os.fsdecode(os.fspath(value))
    if type(value).__name__ == "Namespace":
        return plain(vars(value), depth + 1)
    listed = getattr(value, "tolist", None)
    if listed is not None:
        try:
            found = listed()
            if not hasattr(found, "tolist"):
                return plain(found, depth + 1)
        except Exception:
            pass
    try:
        return repr(value)[:1000]
    except Exception:
        return f"<{type(value).__name__}>"


def leaf(value):
    """Inside a list there are no dicts: they are kept as text."""
    return repr(value) if isinstance(value, dict) else value


def leaves(value, path=()):
    """(path, value) of everything in a plain value that is no dict."""
    if not isinstance(value, dict):
        yield list(path), value
        return
    for key, inner in value.items():
        yield from leaves(inner, (*path, key))


class Config(MutableMapping):
    """A run's config: a dict with attribute access (`config.lr`, `config.model.depth`). Changes are sent as they are made.

    Keys keep their path: `{"a": {"b": 1}}` is not `{"a.b": 1}`. Values are None, bool, int, float, str and lists of them;
    anything else is kept as its `repr`.
    """

    __slots__ = ("_node", "_path", "_send")

    def __init__(self, node=None, path=(), send=None):
        object.__setattr__(self, "_node", {} if node is None else node)
        object.__setattr__(self, "_path", tuple(path))
        object.__setattr__(self, "_send", send or (lambda entries: None))

    def __getitem__(self, key):
        value = self._node[key]
        return Config(value, (*self._path, key), self._send) if isinstance(value, dict) else value

    def __setitem__(self, key, value):
        self.update({key: value})

    def __delitem__(self, key):
        old = self._node.pop(key)
        self._send([(path,) for path, _ in leaves(old, (*self._path, key))])

    def __iter__(self):
        return iter(self._node)

    def __len__(self):
        return len(self._node)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"config has no {name!r}") from None

    def __setattr__(self, name, value):
        self[name] = value

    def __delattr__(self, name):
        del self[name]

    def __repr__(self):
        return f"Config({self._node!r})"

    def update(self, *others, **more):
        """Like `dict.update`; what is given is sent at once. An `argparse.Namespace` will do as well as a dict."""
        entries = []
        for other in (*others, more):
            given = other._node if isinstance(other, Config) else other
            if type(given).__name__ == "Namespace" or dataclasses.is_dataclass(given):
                given = plain(given)
            for key, value in dict(given).items():
                key = str(key)
                value = plain(value._node if isinstance(value, Config) else value)
                kept = {tuple(path) for path, _ in leaves(value, (*self._path, key))}
                old = leaves(self._node[key], (*self._path, key)) if key in self._node else ()
                entries.extend((path,) for path, _ in old if tuple(path) not in kept)
                entries.extend(leaves(value, (*self._path, key)))
                self._node[key] = value
        if entries:
            self._send(entries)

    def as_dict(self):
        """A copy that is a plain dict."""
        return plain(self._node)


class Summary(MutableMapping):
    """Values of a run's summary that were set by hand; those of its metrics, the server keeps by their rules."""

    __slots__ = ("_send", "_values")

    def __init__(self, send):
        self._send = send
        self._values = {}

    def __getitem__(self, key):
        return self._values[key]

    def __setitem__(self, key, value):
        self.update({key: value})

    def __delitem__(self, key):
        del self._values[key]
        self._send([(key,)])

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)

    def __repr__(self):
        return f"Summary({self._values!r})"

    def update(self, *others, **more):
        """Like `dict.update`; nested dicts are joined (`a.b`)."""
        found = {}
        for other in (*others, more):
            for path, value in leaves(plain(dict(other))):
                found[".".join(path)] = value
        self._values.update(found)
        if found:
            self._send(list(found.items()))
