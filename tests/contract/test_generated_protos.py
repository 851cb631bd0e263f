"""The committed modules of recsys.v1 say what the .proto files say: descriptors are compared, not text."""

import importlib
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_tools import protoc  # type: ignore[import-untyped] # it has no stubs

ROOT = Path(__file__).resolve().parents[2]
PROTOS = sorted((ROOT / "protos").rglob("*.proto"))
GENERATED = ROOT / "libs/recsys/src/recsys/v1"


def module_name(proto_file: str) -> str:
    """recsys/v1/item.proto → recsys.v1.item_pb2"""
    return proto_file.removesuffix(".proto").replace("/", ".") + "_pb2"


def described(pool: DescriptorPool, name: str) -> FileDescriptorProto:
    """The file as the pool knows it, without the JSON names, which protoc leaves out of generated modules."""
    file = FileDescriptorProto()
    pool.FindFileByName(name).CopyToProto(file)
    messages = list(file.message_type)
    while messages:
        message = messages.pop()
        messages.extend(message.nested_type)
        for field in message.field:
            field.ClearField("json_name")
    return file


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> DescriptorPool:
    """What the .proto files say now."""
    target = tmp_path_factory.mktemp("protos") / "descriptors.bin"
    arguments = [f"-I{ROOT / 'protos'}", f"-I{Path(protoc.__file__).parent / '_proto'}", "--include_imports"]
    assert protoc.main(["protoc", *arguments, f"--descriptor_set_out={target}", *map(str, PROTOS)]) == 0
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(target.read_bytes()).file:
        pool.Add(file)
    return pool


@pytest.mark.parametrize("proto", [str(path.relative_to(ROOT / "protos")) for path in PROTOS])
def test_a_generated_module_describes_its_proto_file(proto: str, compiled: DescriptorPool) -> None:
    generated = importlib.import_module(module_name(proto)).DESCRIPTOR
    assert described(generated.pool, proto) == described(compiled, proto), "run `make protos`"


@pytest.mark.parametrize("proto", [str(path.relative_to(ROOT / "protos")) for path in PROTOS])
def test_stubs_and_servicers_have_every_method(proto: str, compiled: DescriptorPool) -> None:
    wired = importlib.import_module(module_name(proto) + "_grpc")
    for service in described(compiled, proto).service:
        servicer = getattr(wired, f"{service.name}Servicer")
        assert {method.name for method in service.method} == {name for name in vars(servicer) if name[0] != "_"}


def test_every_proto_file_has_its_modules_and_every_module_its_proto_file() -> None:
    stems = {path.stem for path in PROTOS}
    endings = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")
    expected = {f"{stem}{ending}" for stem in stems for ending in endings}
    assert {path.name for path in GENERATED.glob("*_pb2*")} == expected
