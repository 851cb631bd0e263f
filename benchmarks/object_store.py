"""What happens to versions in an object store when processes are killed and the store fails.

    make benchmark-object-store      # or: .venv/bin/python -m benchmarks.object_store [--items 40000] [--kills 8]

An S3 server (moto's), the trainer's own command and a reranker that follows the store, all as processes. The kills are
SIGKILLs at random moments. After each, every version that the store or the service's copy calls complete is compared
with its manifest, and while the service lives it is asked fifty times a second which version it answers from.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import grpc

from benchmarks import serving_volume
from recsys.artifact import checks, layout
from recsys.artifact.object_store import ObjectStore
from recsys.artifact.reader import read_manifest
from recsys.errors import ArtifactError
from recsys.rpc.channel import open_blocking_channel
from recsys.v1.model_service_pb2 import GetModelRequest
from recsys.v1.model_service_pb2_grpc import ModelServiceStub
from tools import s3_server
from tools.local_stack import Ports
from tools.s3_server import S3

WITHIN_S: Final = 120.0
_ASKED_EVERY_S: Final = 0.02
_UNAVAILABLE_S: Final = 20.0
_FULL_S: Final = 10.0


class Service:
    """A reranker, and what it answers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.failed = 0
        self.versions: list[str] = []  # of all answers
        self._stopped = threading.Event()
        self._port = port
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def stop(self) -> None:
        """Kill it."""
        self._stopped.set()
        self._thread.join()
        self.process.kill()
        self.process.wait()

    def until_it_answers_from(self, version: str = "") -> float:
        """How long that took from now, in seconds; without a name, from any."""
        began_s = time.monotonic()
        what = f"an answer from {version or 'any version'}"
        until(lambda: bool(self.versions) and self.versions[-1].startswith(version), what)
        return time.monotonic() - began_s

    def _ask(self) -> None:
        with open_blocking_channel(f"127.0.0.1:{self._port}") as channel:
            stub = ModelServiceStub(channel)
            while not self._stopped.wait(_ASKED_EVERY_S):
                try:
                    self.versions.append(stub.GetModel(GetModelRequest(), timeout=5).artifact_version)
                except grpc.RpcError:
                    self.failed += bool(self.versions)  # before the first it starts


class Shop:
    """A trainer's volume, the store, and a service's copy of it."""

    def __init__(self, s3: S3, bench: Path, folder: Path) -> None:
        self.s3 = s3
        self.store = ObjectStore(s3.address, writes=True)
        self.copy = folder / "copy"
        self.volume = folder / "volume"
        self._original = layout.version_dir(bench, layout.current_version(bench) or "")
        self._numbers = count(1)

    def new_version(self) -> str:
        """A version on the trainer's volume that is not published yet."""
        version = f"20260101T000000.{next(self._numbers):03}Z-als-benchmark"
        directory = layout.version_dir(self.volume, version)
        directory.mkdir(parents=True)
        manifest = read_manifest(self._original)
        for name in manifest.files:
            os.link(self._original / name, directory / name)
        text = manifest.model_copy(update={"version": version}).model_dump_json()
        (directory / layout.MANIFEST).write_text(text)
        return version

    def publishing(self, version: str) -> subprocess.Popen[bytes]:
        """The trainer's command that uploads a version and makes it live, begun."""
        command = [sys.executable, "-m", "trainer", "activate", version, "--artifact-dir", str(self.volume)]
        variables = os.environ | {"TRAINER_ARTIFACT_STORE": self.s3.address}
        return subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)

    def publish(self) -> str:
        """A new version, live in the store."""
        version = self.new_version()
        assert self.publishing(version).wait() == 0
        return version

    @contextmanager
    def serving(self, copy: Path | None = None) -> Iterator[Service]:
        """A service that follows the store, killed at the end."""
        port = Ports.free().reranker
        told = {"PORT": str(port), "ARTIFACT_DIR": str(copy or self.copy), "ARTIFACT_STORE": self.s3.address}
        variables = os.environ | {f"RERANKER_{name}": value for name, value in told.items()}
        process = subprocess.Popen([sys.executable, "-m", "reranker"], env=variables, stderr=subprocess.DEVNULL)
        service = Service(process, port)
        try:
            yield service
        finally:
            service.stop()

    def half_versions(self) -> int:
        """How many versions are called complete, in the store or in the copy, and are not."""
        listing = self.store.listing()
        half = sum(
            not {*self.store.manifest(version).files, layout.MANIFEST} <= listing.written[version].keys()
            for version in listing.versions
        )
        for version in layout.list_versions(self.copy):
            directory = layout.version_dir(self.copy, version)
            try:
                checks.check_files(directory, read_manifest(directory).files, throttled=False)
            except ArtifactError:
                half += 1
        return half


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait. Raises: AssertionError, it takes too long."""
    ends_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < ends_s, f"{what}: not within {WITHIN_S:.0f} s"
        time.sleep(0.01)


def kill_trainers(shop: Shop, kills: int, rng: random.Random) -> str:
    """Row: SIGKILL while it publishes."""
    began_s = time.monotonic()
    live = shop.publish()
    whole_s = time.monotonic() - began_s
    half = wrong = 0
    again_s = []
    with shop.serving() as service:
        service.until_it_answers_from(live)
        for _ in range(kills):
            version = shop.new_version()
            with shop.publishing(version) as process:
                time.sleep(rng.uniform(0, whole_s))
                process.kill()
            half += shop.half_versions()
            wrong += shop.store.current() not in (live, version)
            assert shop.publishing(version).wait() == 0
            again_s.append(service.until_it_answers_from(version))
            live = version
        return row("kill -9 of a trainer that publishes", kills, half, wrong, service.failed, again_s)


def kill_services(shop: Shop, kills: int, rng: random.Random) -> str:
    """Row: SIGKILL while it starts and fetches."""
    live = shop.publish()
    began_s = time.monotonic()
    with shop.serving() as service:
        service.until_it_answers_from(live)
    whole_s = time.monotonic() - began_s
    half = wrong = failed = 0
    again_s = []
    for _ in range(kills):
        version = shop.publish()
        with shop.serving():
            time.sleep(rng.uniform(0, whole_s))
        half += shop.half_versions()
        wrong += layout.current_version(shop.copy) not in (live, version)
        with shop.serving() as service:
            again_s.append(service.until_it_answers_from(version))
            failed += service.failed
        live = version
    return row("kill -9 of a service that fetches", kills, half, wrong, failed, again_s)


def two_trainers(shop: Shop, times: int) -> str:
    """Row: two publish at once."""
    half = wrong = 0
    again_s = []
    with shop.serving() as service:
        service.until_it_answers_from()
        for _ in range(times):
            versions = [shop.new_version(), shop.new_version()]
            processes = [shop.publishing(version) for version in versions]
            assert [process.wait() for process in processes] == [0, 0]
            live = shop.store.current() or ""
            wrong += live not in versions
            half += shop.half_versions()
            again_s.append(service.until_it_answers_from(live))
        return row("two trainers at once", times, half, wrong, service.failed, again_s)


def unavailable(shop: Shop) -> str:
    """Row: the store answers 503 for a while, and a version goes live when it is back."""
    with shop.serving() as service:
        service.until_it_answers_from()
        before = len(service.versions)
        shop.s3.tell({"unavailable": "yes"})
        time.sleep(_UNAVAILABLE_S)
        wrong = len(set(service.versions[before:])) - 1
        shop.s3.tell()
        version = shop.publish()
        again_s = [service.until_it_answers_from(version)]
        name = f"503 from the store for {_UNAVAILABLE_S:.0f} s"
        return row(name, 1, shop.half_versions(), wrong, service.failed, again_s)


def wrong_bytes(shop: Shop) -> str:
    """Row: an object with one wrong bit, repaired when it was refused."""
    with shop.serving() as service:
        service.until_it_answers_from()
        live, version = shop.store.current(), shop.new_version()
        shop.store.upload(shop.volume, version)
        path = f"{layout.VERSIONS}/{version}/{layout.ITEM_EMBEDDINGS}"
        right = (layout.version_dir(shop.volume, version) / layout.ITEM_EMBEDDINGS).read_bytes()
        shop.s3.put(path, right[:-1] + bytes([right[-1] ^ 1]))
        shop.s3.tell()  # forgets the requests so far
        shop.store.activate(version)
        until(lambda: sum(layout.ITEM_EMBEDDINGS in asked for asked in shop.s3.requests()) > 2, "it is fetched twice")
        wrong = int(service.versions[-1] != live)
        shop.s3.put(path, right)
        again_s = [service.until_it_answers_from(version)]
        return row("one wrong bit in an object", 1, shop.half_versions(), wrong, service.failed, again_s)


def full_disk(shop: Shop, folder: Path) -> str:
    """Row: the copy has room for one version and a half, and then for more. Needs root, for the disk is of memory."""
    live = shop.publish()
    of_one = sum(entry.bytes for entry in shop.store.manifest(live).files.values())
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o"]
    subprocess.run([*mount, f"size={int(of_one * 1.5)}", "tmpfs", str(folder)], check=True)
    try:
        with shop.serving(folder) as service:
            service.until_it_answers_from(live)
            version = shop.publish()
            time.sleep(_FULL_S)
            wrong = int(service.versions[-1] != live)
            subprocess.run([*mount, f"remount,size={of_one * 4}", "tmpfs", folder], check=True)
            again_s = [service.until_it_answers_from(version)]
            return row(
                f"the copy's disk full for {_FULL_S:.0f} s", 1, shop.half_versions(), wrong, service.failed, again_s
            )
    finally:
        subprocess.run(["umount", folder], check=True)


def row(name: str, times: int, half: int, wrong: int, failed: int, again_s: list[float]) -> str:
    """A row of the table."""
    text = f"| {name} | {times} | {half} | {wrong} | {failed} | {statistics.median(again_s):.1f} · {max(again_s):.1f} |"
    print(text, file=sys.stderr, flush=True)
    return text


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--kills", type=int, default=8)
    arguments = parser.parse_args()
    bench = serving_volume.volume_of(n_items=arguments.items, n_users=arguments.items)
    rng = random.Random(0)
    with s3_server.running() as s3, tempfile.TemporaryDirectory(dir=serving_volume.BENCH) as name:
        os.environ.update(s3.variables)
        shop = Shop(s3, bench, Path(name))
        rows = [
            kill_trainers(shop, arguments.kills, rng),
            kill_services(shop, arguments.kills, rng),
            two_trainers(shop, arguments.kills),
            unavailable(shop),
            wrong_bytes(shop),
            *([full_disk(shop, Path(name) / "small")] if os.geteuid() == 0 and shutil.which("mount") else []),
        ]
        of_one = sum(entry.bytes for entry in shop.store.manifest(shop.store.current() or "").files.values())
    print(f"A version has {of_one / 1e6:.0f} MB.\n")
    print("| what | times | half versions | wrong version live | answers failed | new version after s, median · most |")
    print("|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
