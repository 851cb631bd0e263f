"""The release has one number: of the command, of its package, of the images' tags and of the newest changes."""

import re
import tomllib
from pathlib import Path

from recsys_cli import __version__

ROOT = Path(__file__).resolve().parents[2]


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_release_is_the_same_everywhere() -> None:
    assert tomllib.loads(text("cli/pyproject.toml"))["project"]["version"] == __version__
    assert re.findall(r"^## (\S+)", text("CHANGELOG.md"), flags=re.MULTILINE)[0] == __version__
    assert f"#RECSYS_VERSION={__version__}\n" in text(".env.example")


def test_the_cluster_runs_the_images_of_the_release() -> None:
    for path in (ROOT / "deploy/kubernetes/base").glob("*.yaml"):
        images = re.findall(r"image: (recsys-\S+)", path.read_text(encoding="utf-8"))
        assert all(image.endswith(f":{__version__}") for image in images), path


def test_every_image_of_ours_has_the_release_as_its_tag() -> None:
    compose = text("docker-compose.yml")
    ours = [image for image in re.findall(r"image: (\S+)", compose) if image.startswith("recsys-")]
    assert len(ours) == len(re.findall(r"build: ", compose))
    assert all(image.endswith(f":${{RECSYS_VERSION:-{__version__}}}") for image in ours)
