"""What the interceptor takes for granted of every service of ours, and the checks of request fields."""

import pytest
from google.protobuf.descriptor import MethodDescriptor

from recsys.errors import InvalidArgumentError
from recsys.rpc.requests import check_at_least_one, check_at_most, check_count, check_given
from recsys.v1 import (
    candidate_gen_service_pb2,
    catalog_service_pb2,
    model_service_pb2,
    reranker_service_pb2,
    user_service_pb2,
)

METHODS: list[MethodDescriptor] = [
    method
    for proto in (
        candidate_gen_service_pb2,
        catalog_service_pb2,
        model_service_pb2,
        reranker_service_pb2,
        user_service_pb2,
    )
    for service in proto.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_method_is_unary_and_its_answer_names_its_version(method: MethodDescriptor) -> None:
    assert not method.client_streaming
    assert not method.server_streaming
    assert "artifact_version" in method.output_type.fields_by_name


def test_a_field_out_of_bounds_is_named_with_what_was_expected_and_found() -> None:
    for allowed in (1, 1000):
        check_count("count", allowed, at_most=1000)
    for found in (0, 1001):
        with pytest.raises(InvalidArgumentError, match=rf"^count: expected 1 to 1000, found {found}$"):
            check_count("count", found, at_most=1000)
    check_at_least_one("count", 1)
    with pytest.raises(InvalidArgumentError, match=r"^count: expected 1 or more, found 0$"):
        check_at_least_one("count", 0)
    check_at_most("item_ids", 2, at_most=2)
    with pytest.raises(InvalidArgumentError, match=r"^item_ids: expected at most 2, found 3$"):
        check_at_most("item_ids", 3, at_most=2)
    check_given("user_id", " ")
    with pytest.raises(InvalidArgumentError, match=r"^user_id: expected a value, found none$"):
        check_given("user_id", "")
