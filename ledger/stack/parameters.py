"""The template's parameters, and those that a deployment gives. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import InvalidRequest, Misconfigured

OWN = {
    "Name": "--name",
    "CodeBucket": "--code-bucket",
    "CodeKey": "--package",
    "Tables": "--existing-tables",
    "EventsStreamArn": "--existing-tables",
}
"""Parameters that `folio stack deploy` sets itself, and the options that they come from."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of the template's parameters, with its rules."""

    name: str
    type: str
    description: str
    default: str | None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    constraint: str = ""

    def check(self, value: str) -> str | None:
        """What is wrong with a value, if anything."""
        if self.allowed and value not in self.allowed:
            return f"expected one of {', '.join(self.allowed)}"
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            return self.constraint or f"expected {self.pattern}"
        if self.type != "Number":
            return None
        return self._check_number(value)

    def _check_number(self, value: str) -> str | None:
        try:
            number = float(value)
        except ValueError:
            return "expected a number"
        if self.at_least is not None and number < self.at_least:
            return f"expected {self.at_least:g} or more"
        if self.at_most is not None and number > self.at_most:
            return f"expected {self.at_most:g} or less"
        return None


def loaded(template: str) -> dict[str, Any]:
    """The template as values; `!Sub x` and the like become `{"Sub": x}`.

    Raises:
        Misconfigured: the extra `stack` is not installed.
    """
    try:
        # Here and not above: it comes with the extra `stack`.
        import yaml  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Misconfigured(
            "PyYAML, which reads the template, is an extra that is not installed: "
            "pip install 'folio-ledger[cli,stack]'"
        ) from error

    class Loader(yaml.SafeLoader):
        """YAML's safe types, and CloudFormation's tags."""

    def tagged(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            return {tag: loader.construct_scalar(node)}
        if isinstance(node, yaml.SequenceNode):
            return {tag: loader.construct_sequence(node, deep=True)}
        return {tag: loader.construct_mapping(node, deep=True)}  # type: ignore[arg-type]  # no fourth kind

    Loader.add_multi_constructor("!", tagged)
    found: dict[str, Any] = yaml.load(template, Loader)  # noqa: S506  # it is a safe loader
    return found


def declared(template: str) -> dict[str, Parameter]:
    """The template's parameters, by name."""
    return {name: _parameter(name, of) for name, of in loaded(template)["Parameters"].items()}


def _parameter(name: str, of: Mapping[str, Any]) -> Parameter:
    default = of.get("Default")
    return Parameter(
        name=name,
        type=of["Type"],
        description=" ".join(str(of.get("Description", "")).split()),
        default=None if default is None else _text(default),
        allowed=tuple(map(_text, of.get("AllowedValues", ()))),
        pattern=of.get("AllowedPattern"),
        at_least=of.get("MinValue"),
        at_most=of.get("MaxValue"),
        constraint=str(of.get("ConstraintDescription", "")),
    )


def _text(value: object) -> str:
    """A value as CloudFormation takes it: YAML's `true` is `"true"`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """`K=V` arguments, by K.

    Raises:
        InvalidRequest: no `=`, no name, or a name twice.
    """
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise InvalidRequest(f"{option}: expected NAME=VALUE, as in {option} LogLevel=INFO")
        if name in found:
            raise InvalidRequest(f"{option}: {name} is given twice")
        found[name] = value
    return found


def checked(known: Mapping[str, Parameter], given: Mapping[str, str]) -> dict[str, str]:
    """Parameters that a user gave, held against the template.

    Raises:
        InvalidRequest: an unknown one, one that has an option of its own, or a malformed value.
    """
    for name, value in given.items():
        if name in OWN:
            raise InvalidRequest(f"--parameter {name}: it is set by {OWN[name]}")
        if name not in known:
            settable = ", ".join(one for one in known if one not in OWN)
            raise InvalidRequest(
                f"--parameter {name}: the template has no such parameter; it has {settable}"
            )
        if wrong := known[name].check(value):
            raise InvalidRequest(f"--parameter {name}: {wrong}")
    return dict(given)


def effective(
    name: str,
    known: Mapping[str, Parameter],
    given: Mapping[str, str],
    before: Mapping[str, str],
) -> str | None:
    """What a parameter will be: as given, else as it is, else the template's default."""
    return given.get(name, before.get(name, known[name].default if name in known else None))


def request(
    known: Mapping[str, Parameter], given: Mapping[str, str], before: Mapping[str, str]
) -> list[dict[str, Any]]:
    """A change set's `Parameters`: what is given, and what the stack has; the rest is the template's default."""
    wanted: list[dict[str, Any]] = []
    for name in known:
        if name in given:
            wanted.append({"ParameterKey": name, "ParameterValue": given[name]})
        elif name in before:
            wanted.append({"ParameterKey": name, "UsePreviousValue": True})
    return wanted
