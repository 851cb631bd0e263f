"""A name service for tests: one name, whose addresses the test decides."""

import socket
import struct
import threading

_TYPE_A = 1


class NameServer:
    """Answers DNS queries over UDP until `close`; `addresses` are what the name stands for."""

    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            query, client = self._socket.recvfrom(512)
            if not query:
                return
            self._socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        """RFC 1035, section 4: the question once more, and an address record for each address."""
        end = query.index(b"\0", 12) + 5  # the name ends with a zero; type and class follow
        [kind] = struct.unpack("!H", query[end - 4 : end - 2])
        addresses = self.addresses if kind == _TYPE_A else []
        header = query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(addresses), 0, 0)
        records = b"".join(
            struct.pack("!HHHIH", 0xC00C, _TYPE_A, 1, 0, 4) + socket.inet_aton(address) for address in addresses
        )
        return header + query[12:end] + records
