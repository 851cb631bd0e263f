"""What docs/grpc.md and the package of stubs say of the gRPC API is what the contract has."""

import json
import re
import tomllib
from pathlib import Path

from google.protobuf.json_format import ParseDict

from gateway.rpc.operations import OPERATIONS
from recsys.v1 import recommendation_service_pb2 as api

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/grpc.md").read_text(encoding="utf-8")
SERVICE = api.DESCRIPTOR.services_by_name["RecommendationService"]
MODULES = ROOT / "libs/recsys/src"


def test_every_method_is_served_and_in_the_table() -> None:
    methods = {method.name: (method.input_type, method.output_type) for method in SERVICE.methods}
    served = {name: (one.request.DESCRIPTOR, one.response.DESCRIPTOR) for name, one in OPERATIONS.items()}
    assert served == methods
    assert re.findall(r"^\| `(\w+)` \| `[A-Z]+ /v1", TEXT, flags=re.MULTILINE) == list(methods)


def test_the_requests_of_the_grpcurl_lines_are_those_of_the_methods() -> None:
    lines = re.findall(r"^grpcurl -plaintext -d '(.+)' 127\.0\.0\.1:50050 recsys\.v1\.(\w+)/(\w+)$", TEXT, re.MULTILINE)
    assert len(lines) == 7
    for body, service, method in lines:
        assert service == SERVICE.name
        ParseDict(json.loads(body), OPERATIONS[method].request())  # raises where a field is not there


def test_the_package_of_stubs_has_each_module_that_another_one_of_it_imports() -> None:
    project = tomllib.loads((ROOT / "clients/grpc/pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {(ROOT / "clients/grpc" / path).resolve() for path in included} == {
        MODULES / name for name in included.values()
    }
    needed, found = {"recsys/v1/recommendation_service_pb2_grpc.py"}, set[str]()
    while needed - found:
        name = min(needed - found)
        found.add(name)
        imported = re.findall(
            r"^from recsys\.v1 import (\w+)", (MODULES / name).read_text(encoding="utf-8"), re.MULTILINE
        )
        needed |= {f"recsys/v1/{module}.py" for module in imported}
    stubs = {f"{name}i" for name in needed if name.endswith("_pb2.py")}
    assert set(included.values()) == needed | stubs


def test_the_package_of_stubs_asks_for_what_its_modules_ask_for() -> None:
    project = tomllib.loads((ROOT / "clients/grpc/pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = "".join(
        path.read_text(encoding="utf-8") for path in (MODULES / "recsys/v1").glob("recommendation_service_*.py")
    )
    (grpcio,) = re.findall(r"GRPC_GENERATED_VERSION = '(.+)'", text)
    (protobuf,) = re.findall(r"Protobuf Python Version: (.+)", text)
    assert project["dependencies"] == [f"grpcio>={grpcio}", f"protobuf>={protobuf},<8"]
