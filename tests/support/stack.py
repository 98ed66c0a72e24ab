"""The stack's template, read as CloudFormation reads it: with parameters given, conditions decided."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]

from ledger.stack import template

Resource = dict[str, Any]
ACCOUNT, REGION = "111122223333", "eu-west-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/folio/1",
    "AWS::URLSuffix": "amazonaws.com",
}
REQUIRED = {"CodeBucket": "code", "CodeKey": "folio.zip"}
NO_VALUE = object()


@cache
def _text_as_json() -> str:
    return json.dumps(cfn_yaml.loads(template.text()))


def document() -> dict[str, Any]:
    """The template as it is written, intrinsic functions in their long form; a copy to change."""
    found: dict[str, Any] = json.loads(_text_as_json())
    return found


class Stack:
    """What CloudFormation would make of the template with these parameters.

    `resources` and `outputs` have no intrinsic functions any more. A resource's reference is
    `<Id>`, its attribute `<Id.Attribute>`: what AWS would put there is not known.
    """

    def __init__(self, source: Mapping[str, Any] | None = None, **parameters: Any) -> None:
        self._source = document() if source is None else source
        given = {name: p.get("Default") for name, p in self._source["Parameters"].items()}
        self.parameters = given | REQUIRED | parameters
        self.resources: dict[str, Resource] = {
            name: self._resolved(resource)
            for name, resource in self._source["Resources"].items()
            if self._holds(resource.get("Condition"))
        }
        self.outputs: dict[str, Any] = {
            name: self._resolved(output["Value"])
            for name, output in self._source["Outputs"].items()
        }

    def properties(self, name: str) -> dict[str, Any]:
        """A resource's properties."""
        found: dict[str, Any] = self.resources[name]["Properties"]
        return found

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Logical id → properties, of each resource of a type such as `DynamoDB::Table`."""
        return {
            name: resource["Properties"]
            for name, resource in self.resources.items()
            if resource["Type"] == f"AWS::{kind}"
        }

    def statements(self, name: str) -> list[dict[str, Any]]:
        """The statements of a role's own policy, or of a managed policy."""
        properties = self.properties(name)
        own = properties.get("Policies", [{}])[0].get("PolicyDocument")
        found: list[dict[str, Any]] = (own or properties["PolicyDocument"])["Statement"]
        return found

    def _holds(self, condition: str | None) -> bool:
        return condition is None or self._decided(self._source["Conditions"][condition])

    def _decided(self, condition: Mapping[str, Any]) -> bool:
        ((function, given),) = condition.items()
        if function == "Condition":
            return self._holds(given)
        if function == "Fn::Not":
            return not self._decided(given[0])
        if function == "Fn::And":
            return all(map(self._decided, given))
        assert function == "Fn::Equals", f"{function} is not among the plain functions"
        left, right = map(self._resolved, given)
        return bool(left == right)

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [one for one in map(self._resolved, value) if one is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, given),) = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._called(function, given)
        resolved = {name: self._resolved(one) for name, one in value.items()}
        return {name: one for name, one in resolved.items() if one is not NO_VALUE}

    def _called(self, function: str, given: Any) -> Any:
        if function == "Ref":
            return self._reference(given)
        if function == "Fn::GetAtt":
            return f"<{'.'.join(given)}>"
        if function == "Fn::Sub":
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: str(self._reference(found[1])), given)
        if function == "Fn::If":
            return self._resolved(given[1] if self._holds(given[0]) else given[2])
        assert function == "Fn::Join", f"{function} is not among the plain functions"
        parts = self._resolved(given[1])
        return given[0].join([parts] if isinstance(parts, str) else parts)

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.parameters:
            return self.parameters[name]
        return PSEUDO.get(name, f"<{name}>")
