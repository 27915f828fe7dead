"""Where Maven artifacts come from: the repository that Ivy, in the pyspark wheel, calls central, or `LAKEHOUSE_MAVEN_ROOT`.

Does not belong here: which artifacts, or fetching them.
"""

from __future__ import annotations

import os
import re
import zipfile
from functools import cache

from infra.jvm import spark_jars
from lakehouse.errors import ConfigurationError

ROOT_VARIABLE = "LAKEHOUSE_MAVEN_ROOT"
RESOLVER = "org/apache/ivy/plugins/resolver/IBiblioResolver.class"


@cache
def root() -> str:
    """The repository's root, ending in a slash."""
    if chosen := os.environ.get(ROOT_VARIABLE):
        return chosen.rstrip("/") + "/"
    for jar in spark_jars().glob("ivy-*.jar"):
        with zipfile.ZipFile(jar) as archive:
            if found := re.search(rb"https://[\w./-]+?/maven2/", archive.read(RESOLVER)):
                return found.group().decode()
    raise ConfigurationError("The address of the Maven repository is not in the pyspark wheel.", next_step=f"Set {ROOT_VARIABLE}.")
