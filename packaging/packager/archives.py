"""Archives that depend on nothing but what is in them: the same bytes twice."""

import gzip
import hashlib
import io
import tarfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A file in an archive."""

    path: str
    data: bytes
    executable: bool = False

    @property
    def mode(self):
        return 0o755 if self.executable else 0o644


def from_file(path, file, executable=False):
    return Entry(path, Path(file).read_bytes(), executable)


def tar_gz(entries, epoch):
    return gz(tarred(entries, epoch))


def tarred(entries, epoch):
    """Sorted, of root, all of one time."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for entry in sorted(entries, key=lambda it: it.path):
            info = tarfile.TarInfo(entry.path)
            info.size, info.mode, info.mtime = len(entry.data), entry.mode, epoch
            info.uname = info.gname = "root"
            tar.addfile(info, io.BytesIO(entry.data))
    return plain.getvalue()


def gz(data):
    """Without name and time."""
    return gzip.compress(data, compresslevel=9, mtime=0)


def zipped(entries, epoch):
    """In the order given, with Unix modes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.path, time.gmtime(epoch)[:6])
            info.create_system = 3
            info.external_attr = (0o100000 | entry.mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.data)
    return packed.getvalue()


def sha256(file):
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()
