"""A test double for a shop's own tests: the API in memory, behind the real client. See `FakeGateway`."""

from recsys_client.testing.fake_gateway import FakeGateway
from recsys_client.testing.fake_shop import Exposure

__all__ = ["Exposure", "FakeGateway"]
