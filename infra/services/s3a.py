"""How the JVMs reach the store: Hadoop's S3A settings, and keys through the environment only.

Does not belong here: Trino's own S3 client (trino), Python's (lakehouse).
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from infra.services.base import Context
from lakehouse.settings import Settings

ENVIRONMENT_KEYS = "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider"
ASSUMED_ROLE = "org.apache.hadoop.fs.s3a.auth.AssumedRoleCredentialProvider"
PERFORMANCE_FLAGS = "create,delete,mkdir"
"""No look whether a file or its folder is there before one is written, nor care for folders: the names of data files are new each time,
and Delta itself looks before it commits."""
TRUSTSTORE_PASSWORD = "public-certificates-only"


def s3a_options(settings: Settings, buffers: Path) -> dict[str, str]:
    """`fs.s3a.*`, without any key. The classic stream reads as it is asked; the default one keeps megabytes of each file in the heap."""
    options = {
        "fs.s3a.endpoint": settings.s3_endpoint or "",
        "fs.s3a.endpoint.region": settings.s3_region,
        "fs.s3a.path.style.access": str(settings.s3_path_style).lower(),
        "fs.s3a.connection.ssl.enabled": str(is_https(settings)).lower(),
        "fs.s3a.connection.maximum": "96",
        "fs.s3a.threads.max": "32",
        "fs.s3a.buffer.dir": str(buffers),
        "fs.s3a.input.stream.type": "classic",
        "fs.s3a.experimental.input.fadvise": "adaptive",
        "fs.s3a.attempts.maximum": "2",
        "fs.s3a.retry.limit": "3",
        "fs.s3a.retry.interval": "200ms",
        "fs.s3a.connection.establish.timeout": "5s",
        "fs.s3a.multipart.purge": "false",
        "fs.s3a.performance.flags": PERFORMANCE_FLAGS,
    }
    return options | _identity(settings)


def _identity(settings: Settings) -> dict[str, str]:
    keys = {"fs.s3a.aws.credentials.provider": ENVIRONMENT_KEYS} if settings.s3_access_key_id else {}
    if not settings.s3_role_arn:
        return keys
    base = {"fs.s3a.assumed.role.credentials.provider": ENVIRONMENT_KEYS} if keys else {}
    return base | {
        "fs.s3a.aws.credentials.provider": ASSUMED_ROLE,
        "fs.s3a.assumed.role.arn": settings.s3_role_arn,
        "fs.s3a.assumed.role.sts.endpoint.region": settings.s3_region,
    }


def key_environment(settings: Settings) -> dict[str, str]:
    """The store's keys as the AWS SDK reads them."""
    secrets = {
        "AWS_ACCESS_KEY_ID": settings.s3_access_key_id,
        "AWS_SECRET_ACCESS_KEY": settings.s3_secret_access_key,
        "AWS_SESSION_TOKEN": settings.s3_session_token,
    }
    known = {name: secret.get_secret_value() for name, secret in secrets.items() if secret}
    return known | {"AWS_REGION": settings.s3_region, "AWS_EC2_METADATA_DISABLED": str(bool(known)).lower()}


def is_https(settings: Settings) -> bool:
    """Whether the store is reached over TLS."""
    return urlsplit(settings.s3_endpoint or "").scheme == "https"


def trust_options(context: Context, service: str) -> list[str]:
    """JVM options with which a private authority, or the machine's own list, is trusted."""
    bundle = context.settings.s3_ca_file or os.environ.get("SSL_CERT_FILE")
    if not is_https(context.settings) or not bundle:
        return []
    store = context.folder("etc", service) / "truststore.p12"
    certificates = x509.load_pem_x509_certificates(Path(bundle).read_bytes())
    entries = [pkcs12.PKCS12Certificate(certificate, f"ca-{number}".encode()) for number, certificate in enumerate(certificates)]
    store.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(TRUSTSTORE_PASSWORD.encode())))
    return [f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={TRUSTSTORE_PASSWORD}"]
