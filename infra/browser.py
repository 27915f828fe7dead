"""The Chromium that the tests of pages run in: found, or installed where that is possible.

Does not belong here: driving it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lakehouse.errors import ConfigurationError

CHROMIUM_VARIABLE = "LAKEHOUSE_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_PLACES = (
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
INSTALL_SECONDS = 900


def chromium() -> Path:
    """The browser's executable.

    Raises:
        ConfigurationError: there is none and it cannot be installed here.
    """
    return _found() or _installed()


def _found() -> Path | None:
    if chosen := os.environ.get(CHROMIUM_VARIABLE):
        return Path(chosen)
    on_path = next((found for name in NAMES if (found := shutil.which(name))), None)
    return Path(on_path) if on_path else next((place for place in MAC_PLACES if place.exists()), None)


def _installed() -> Path:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ConfigurationError("There is no Chromium on this machine.", next_step=_how_to_install())
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        done = subprocess.run(["apt-get", *arguments], capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    if done.returncode or not (found := _found()):
        raise ConfigurationError(f"Chromium could not be installed: {done.stderr.strip()[-300:]}", next_step=_how_to_install())
    return found


def _how_to_install() -> str:
    return (
        "Install it (Debian, Ubuntu: `sudo apt-get install chromium`; Fedora: `sudo dnf install chromium`; "
        f"macOS: `brew install --cask chromium`), or set {CHROMIUM_VARIABLE} to a Chrome or Chromium."
    )


if __name__ == "__main__":
    try:
        print(f"Browser: {chromium()}")
    except ConfigurationError as error:
        sys.exit(f"Error: {error}")
