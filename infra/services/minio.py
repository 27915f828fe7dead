"""The embedded object store.

Does not belong here: buckets and their rules.
"""

from __future__ import annotations

from infra.parts import parts
from infra.ports import LOOPBACK
from infra.services.base import Context, Launch
from lakehouse.errors import ConfigurationError

MEMORY_LIMIT = "384MiB"


def launch(context: Context) -> Launch:
    """MinIO on one folder, without its web console."""
    key, secret = context.settings.s3_access_key_id, context.settings.s3_secret_access_key
    if key is None or secret is None:
        raise ConfigurationError("The store has no keys.", next_step="Start the stack with `lakehouse up`, which generates them.")
    env = {
        "MINIO_ROOT_USER": key.get_secret_value(),
        "MINIO_ROOT_PASSWORD": secret.get_secret_value(),
        "MINIO_REGION": context.settings.s3_region,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "GOMEMLIMIT": MEMORY_LIMIT,
    }
    certificates = context.folder("etc", "minio")
    data = context.folder("data", "minio")
    argv = [str(parts().minio.binary), "server", "--address", f"{LOOPBACK}:{context.ports['minio']}", "--certs-dir", str(certificates)]
    return Launch([*argv, str(data)], env)
