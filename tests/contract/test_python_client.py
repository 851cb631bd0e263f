"""The Python client says of the API what services/gateway/openapi.json says: operations, arguments, fields and types.

A field or operation that the client does not know fails here by its name.
"""

import copy
import inspect
import json
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

import recsys_client
from recsys_client import AsyncClient, Client, answers, errors, operations, requests
from recsys_client.operations import Call
from recsys_client.requests import UNSET, Unset

DOCUMENT = json.loads((Path(__file__).parents[2] / "services/gateway/openapi.json").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
RENAMED = {"Event": "EventIn", "Arm": "ArmOut", "Subject": "SubjectOut", "Metric": "ModelMetric"}
LEFT_OUT = {
    "get_recommendations": "`recommend` asks the same, and more",
    "get_health": "for supervisors",
    "get_readiness": "for supervisors",
    "list_experiments": "for the shop's manager, not its code",
    "get_experiment": "for the shop's manager, not its code",
    "set_shares": "for the shop's manager, not its code",
    "stop_experiment": "for the shop's manager, not its code",
    "ship_experiment": "for the shop's manager, not its code",
    "get_rules": "for the shop's manager, not its code",
    "get_experiment_days": "for the shop's manager, not its code",
    "get_activity": "for the shop's manager, not its code",
    "list_runs": "for the shop's manager, not its code",
    "get_run_report": "for the shop's manager, not its code",
    "activate_version": "for the shop's manager, not its code",
    "put_rules": "for the shop's manager, not its code",
}
ALWAYS_SENT = {"Event.event_id"}  # so that an event that is sent twice counts once
DATACLASSES = [
    kind
    for module in (answers, requests, errors)
    for kind in vars(module).values()
    if is_dataclass(kind) and isinstance(kind, type) and kind.__module__ == module.__name__
]
BUILDERS = [
    build
    for build in vars(operations).values()
    if inspect.isfunction(build) and get_origin(inspect.signature(build).return_annotation) is Call
]
SCALARS = {"string": "str", "number": "float", "integer": "int", "boolean": "bool", "null": "None"}


def documented(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types of a JSON schema, by their names in Python."""
    if "$ref" in schema:
        return frozenset({schema["$ref"].rpartition("/")[2]})
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return frozenset().union(*map(documented, several))
    if "const" in schema or "enum" in schema:
        return frozenset(f"'{value}'" for value in schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        return frozenset({f"list of {sorted(documented(schema['items']))}"})
    if schema["type"] == "object":
        (value,) = (
            [schema["additionalProperties"]]
            if "additionalProperties" in schema
            else [*schema["patternProperties"].values()]
        )
        return frozenset({f"dict of {sorted(documented(value))}"})
    return frozenset({"datetime" if schema.get("format") == "date-time" else SCALARS[schema["type"]]})


def annotated(hint: Any) -> frozenset[str]:
    """The types of an annotation, in the same words. `UNSET` is not one of the API's."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return frozenset().union(*map(annotated, arguments))
    if origin is Literal:
        return frozenset(f"'{value}'" for value in arguments)
    if origin in (tuple, Sequence):
        return frozenset({f"list of {sorted(annotated(arguments[0]))}"})
    if origin in (dict, Mapping):
        return frozenset({f"dict of {sorted(annotated(arguments[1]))}"})
    if hint is Unset:
        return frozenset()
    if hint in (None, type(None)):
        return frozenset({"None"})
    return frozenset({RENAMED.get(hint.__name__, hint.__name__)})


def properties(name: str) -> dict[str, Any]:
    """The fields of a schema that are not deprecated."""
    return {name: each for name, each in SCHEMAS[name]["properties"].items() if not each.get("deprecated")}


def default_of(field: Field[Any]) -> Any:
    """In JSON; MISSING: it must be given."""
    default = field.default if field.default_factory is MISSING else field.default_factory()
    if is_dataclass(default):  # the document leaves out of it what is null by default
        said = {each.name: default_of(each) for each in fields(default)}
        return {name: value for name, value in said.items() if value is not None}
    return list(default) if isinstance(default, tuple) else default


def operation_of(call: Call[Any]) -> dict[str, Any]:
    """What the document says of the operation that answers a call: its first path that fits, plain ones first."""
    for path in sorted(DOCUMENT["paths"], key=lambda each: ("{" in each, -len(each))):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), call.path):
            found: dict[str, Any] = DOCUMENT["paths"][path][call.method.lower()]
            return found
    raise AssertionError(f"no such path: {call.path}")


def sample(parameter: inspect.Parameter, hint: Any) -> Any:
    """A value that an argument may have and does not have by itself."""
    for example in (
        "an id",
        7,
        not parameter.default,
        1.5,
        ["an id"],
        [0.5, -1.0],
        {"brand": "A"},
        requests.Filter(categories=["a"]),
        requests.Blend(recency=0.5),
        requests.Diversity(mmr_lambda=0.5),
        [requests.Rule(name="rule", item_id="a", boost=2)],
        [requests.Event(user_id="u", item_id="i", type="view")],
        [requests.DeleteChange(item_id="i")],
        [requests.WantedList(name="list")],
    ):
        if fits(example, hint):
            return example
    raise AssertionError(f"no example of {hint}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotation's type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is Sequence:
        return isinstance(value, list) and fits(value[0], arguments[0])
    return type(value) is (dict if origin is Mapping else hint)


def full_call(build: Callable[..., Call[Any]]) -> Call[Any]:
    """The operation with every argument given."""
    hints = get_type_hints(build)
    parameters = inspect.signature(build).parameters.items()
    return build(**{name: sample(parameter, hints[name]) for name, parameter in parameters})


def arguments_of(operation: Mapping[str, Any]) -> dict[str, Any]:
    """Name → schema of all that a request of the operation may say."""
    given = {each["name"]: each["schema"] for each in operation.get("parameters", [])}
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        names = documented(schema)  # events may come alone or many at once: the client sends them so
        given |= properties("EventBatch" if "EventBatch" in names else next(iter(names)))
    return given


@pytest.mark.parametrize("kind", DATACLASSES, ids=lambda kind: kind.__name__)
def test_a_dataclass_has_the_fields_of_its_schema(kind: type) -> None:
    expected = properties(RENAMED.get(kind.__name__, kind.__name__))
    hints = get_type_hints(kind)
    of_client = {field.name: annotated(hints[field.name]) for field in fields(kind)}
    of_api = {name: documented(schema) for name, schema in expected.items()}
    for always in ALWAYS_SENT:
        owner, _, name = always.partition(".")
        if owner == kind.__name__:
            of_client[name] |= {"None"}
    assert of_client == of_api


@pytest.mark.parametrize("kind", DATACLASSES, ids=lambda kind: kind.__name__)
def test_what_must_be_given_and_what_holds_otherwise_are_the_same(kind: type) -> None:
    schema = SCHEMAS[RENAMED.get(kind.__name__, kind.__name__)]
    settable = [field for field in fields(kind) if field.init]
    constants = {field.name for field in fields(kind)} - {field.name for field in settable}
    assert {field.name for field in settable if default_of(field) is MISSING} == set(
        schema.get("required", [])
    ) - constants
    differing = {
        field.name: (default_of(field), schema["properties"][field.name]["default"])
        for field in settable
        if "default" in schema["properties"][field.name]
        and default_of(field) is not UNSET
        and f"{kind.__name__}.{field.name}" not in ALWAYS_SENT
        and default_of(field) != schema["properties"][field.name]["default"]
    }
    assert not differing


def test_every_operation_is_in_the_client_or_left_out_for_a_reason() -> None:
    of_api = {each["operationId"] for path in DOCUMENT["paths"].values() for each in path.values()}
    of_client = {operation_of(full_call(build))["operationId"] for build in BUILDERS}
    assert of_client | LEFT_OUT.keys() == of_api
    assert not of_client & LEFT_OUT.keys()


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_an_operation_sends_its_arguments_under_their_documented_names_and_types(
    build: Callable[..., Call[Any]],
) -> None:
    call = full_call(build)
    expected = arguments_of(operation_of(call))
    hints = get_type_hints(build)
    names = set(inspect.signature(build).parameters)
    in_path = {name for name in names if f"/{'an%20id'}" in call.path and name in ("item_id", "user_id")}
    assert names == set(call.query) | set(call.body or {}) | (in_path - set(call.body or {}))
    assert {name: annotated(hints[name]) - {"None"} for name in names} == {
        name: documented(expected[name]) - {"None"} for name in names
    }


def test_every_argument_of_an_operation_can_be_given() -> None:
    given: dict[str, set[str]] = {}
    expected: dict[str, set[str]] = {}
    for build in BUILDERS:
        operation = operation_of(full_call(build))
        given.setdefault(operation["operationId"], set()).update(inspect.signature(build).parameters)
        expected[operation["operationId"]] = set(arguments_of(operation))
    assert given == expected


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_an_argument_has_the_default_of_the_api(build: Callable[..., Call[Any]]) -> None:
    expected = arguments_of(operation_of(full_call(build)))
    of_client = {
        name: list(each.default) if isinstance(each.default, tuple) else each.default
        for name, each in inspect.signature(build).parameters.items()
        if each.default not in (inspect.Parameter.empty, None, UNSET)
    }
    assert of_client == {name: expected[name].get("default", of_client[name]) for name in of_client}


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_an_answer_is_read_as_the_schema_that_is_documented(build: Callable[..., Call[Any]]) -> None:
    call = full_call(build)
    responses = operation_of(call)["responses"]
    (good,) = (each for status, each in responses.items() if status.startswith("2"))
    (schema,) = documented(good["content"]["application/json"]["schema"])
    assert RENAMED.get(call.answer.__name__, call.answer.__name__) == schema


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_every_operation_is_a_method_with_its_arguments_and_documentation(client: type) -> None:
    for build in BUILDERS:
        method = getattr(client, build.__name__)
        assert [*inspect.signature(method).parameters.values()][1:] == [*inspect.signature(build).parameters.values()]
        assert inspect.getdoc(method) == inspect.getdoc(build)


def test_both_clients_have_the_same_surface() -> None:
    surfaces = [
        {
            name: inspect.signature(each).parameters.keys()
            for name, each in vars(client).items()
            if not name.startswith("_")
        }
        for client in (Client, AsyncClient)
    ]
    assert surfaces[0] == surfaces[1]


def test_everything_public_can_be_imported_from_the_package() -> None:
    public = {
        kind.__name__
        for kind in DATACLASSES
        if kind.__name__ not in ("ItemPut", "ItemPatch")  # parts of the changes
    }
    assert public <= set(recsys_client.__all__)


@pytest.mark.parametrize(
    ("change", "told_by"),
    [
        (lambda new: new["Item"]["properties"].update(brand={"type": "string"}), answers.Item),
        (lambda new: new["Item"]["properties"].pop("title"), answers.Item),
        (lambda new: new["Fill"]["properties"].update(asked={"type": "number"}), answers.Fill),
        (lambda new: new["RankedItems"]["properties"]["level"]["enum"].append("stale"), answers.RankedItems),
        (lambda new: new["EventIn"]["properties"].update(colour={"type": "string"}), requests.Event),
    ],
)
def test_a_change_of_the_api_is_told(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], object], told_by: type
) -> None:
    newer = copy.deepcopy(SCHEMAS)
    change(newer)
    monkeypatch.setitem(globals(), "SCHEMAS", newer)
    with pytest.raises(AssertionError):
        test_a_dataclass_has_the_fields_of_its_schema(told_by)


def test_a_new_parameter_of_the_api_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = copy.deepcopy(DOCUMENT)
    newer["paths"]["/v1/items/popular"]["get"]["parameters"].append({"name": "preview", "schema": {"type": "boolean"}})
    monkeypatch.setitem(globals(), "DOCUMENT", newer)
    with pytest.raises(AssertionError):
        test_every_argument_of_an_operation_can_be_given()


def test_the_javascript_client_leaves_out_the_same() -> None:
    source = (Path(__file__).parents[2] / "clients/javascript/src/client.ts").read_text(encoding="utf-8")
    listed = source.split("type LeftOut =")[1].split(";\n\n")[0]
    assert set(re.findall(r'^  \| "(\w+)"', listed, re.MULTILINE)) == LEFT_OUT.keys()
