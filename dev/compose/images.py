"""The images that Dockerfile and docker-compose.yml name, made of Debian's packages.

Images of a registry are not needed: one Debian tree, made by debootstrap, becomes the base image of
Python, PostgreSQL and Redis under the names that the files ask for. Their versions are Debian's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from dev.compose.podman import Podman

ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-venv", "postgresql", "redis-server")
DEBIAN = "localhost/runledger-debian"

#: Starts PostgreSQL as the official image does, as far as the compose file needs it.
START_POSTGRES = """#!/bin/sh
set -eu
data=/var/lib/postgresql/data
if [ ! -s "$data/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$data" -U "$POSTGRES_USER" --pwfile /tmp/password -A scram-sha-256 \\
    -E UTF8 --locale C.UTF-8
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$data" postgres
fi
exec postgres -D "$data" -c listen_addresses='*'
"""

#: The lines after `FROM` of each base image.
BASE_IMAGES = {
    "docker.io/library/python:3.13-slim-bookworm": "",
    # A tmpfs on the folder of the socket has its mode; that of the official image is 3777.
    "docker.io/library/postgres:18-bookworm": """
RUN mkdir -p /var/run/postgresql && chmod 3777 /var/run/postgresql
USER postgres
ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
ENTRYPOINT ["/usr/local/bin/start-postgres"]
""",
    "docker.io/library/redis:8-bookworm": """
USER redis
WORKDIR /data
VOLUME /data
""",
}


def build_images(podman: Podman, folder: Path) -> None:
    """Build the base images and the image of Runledger; what exists in `folder` is used again.

    Raises:
        subprocess.CalledProcessError: a command failed; its output is on the terminal.
    """
    if not podman.succeeds("image", "exists", DEBIAN):
        tree = folder / "debian"
        bootstrap(tree)
        with subprocess.Popen(["tar", "-C", tree, "-c", "."], stdout=subprocess.PIPE) as tar:
            podman.run("import", "--quiet", "-", DEBIAN, stdin=tar.stdout)
        shutil.rmtree(tree)
    for name, lines in BASE_IMAGES.items():
        podman.run(
            *("build", "--quiet", "--pull=never", "--tag", name, "-f", "-", str(folder / "empty")),
            text=f"FROM {DEBIAN}\n{lines}",
        )
    wheels = download_wheels(folder)
    podman.run(
        *("build", "--pull=never", "--network", "none", "--tag", "runledger"),
        *(
            "--volume",
            f"{wheels}:/wheels:ro",
            "--volume",
            f"{folder / 'pip.conf'}:/etc/pip.conf:ro",
        ),
        str(ROOT),
    )


def bootstrap(tree: Path) -> None:
    """Install Debian with `PACKAGES` into a folder; no service is started."""
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(["debootstrap", "--variant=minbase", SUITE, tree], check=True)
    policy = tree / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    cluster = tree / "etc/postgresql-common/createcluster.conf"
    cluster.parent.mkdir()
    cluster.write_text("create_main_cluster = false\n")
    install = ["apt-get", "install", "--yes", "--no-install-recommends"]
    install += ["-o", "Dpkg::Options::=--force-confold", *PACKAGES]
    subprocess.run(
        ["chroot", tree, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", *install], check=True
    )
    subprocess.run(["chroot", tree, "apt-get", "clean"], check=True)
    subprocess.run(["chroot", tree, "install", "-d", "-o", "redis", "/data"], check=True)
    (tree / "usr/bin/python").symlink_to("python3")
    start = tree / "usr/local/bin/start-postgres"
    start.write_text(START_POSTGRES)
    start.chmod(0o755)


def download_wheels(folder: Path) -> Path:
    """Download the locked packages as pip of this machine is configured, for Debian's Python.

    Packages for older versions of Python are included: pip compares with the one that runs it.
    """
    wheels, requirements = folder / "wheels", folder / "requirements.txt"
    locked = (ROOT / "requirements/base.txt").read_text(encoding="utf-8")
    requirements.write_text(re.sub(r" ; python_full_version <[^\\]*", " ", locked))
    (folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += [
        "--require-hashes",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--python-version",
        "3.11",
    ]
    command += ["--requirement", str(requirements), "--dest", str(wheels)]
    subprocess.run(command, cwd=ROOT, check=True)
    return wheels
