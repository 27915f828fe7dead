"""Files and values for the tests of scaffolds, with what is to be guessed of them.

Does not belong here: tests.
"""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Made = dict[str, Any]


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": ["a", "b"], "who": [{"name": "x", "age": 3}] * 2, "tags": [["a"], []]}), sink)
    return sink.getvalue()


EVENTS = ({"id": "e1", "type": "login"}, {"id": "e2", "type": "logout"})
TABLE = "id;user\n1;Ada\n2;Bob\n"
SYSLOG = "Mar  1 10:00:00 web sshd[7]: Accepted password for ada from 203.0.113.9 port 50 ssh2\n"
FORMATS: dict[str, tuple[bytes, Made]] = {
    "lines": (lines(*EVENTS).encode(), {"format": "json_lines"}),
    "one line": (lines(EVENTS[0]).encode(), {"format": "json_lines"}),
    "lines after a mark": (b"\xef\xbb\xbf" + lines(*EVENTS).encode(), {"format": "json_lines"}),
    "packed lines": (gzip.compress(lines(*EVENTS).encode()), {"format": "json_lines"}),
    "lines with lists": (lines(*({**e, "n": 1, "targets": [{"id": "a"}, {"id": "b"}]} for e in EVENTS)).encode(), {"format": "json_lines"}),
    "lines, some broken": (b'{"a": 1}\n{"a": \n{"a": 2}\n', {"format": "json_lines"}),
    "array": (json.dumps(EVENTS).encode(), {"format": "json_array"}),
    "array over several lines": (json.dumps(EVENTS, indent=2).encode(), {"format": "json_array"}),
    "array in UTF-16": (json.dumps(EVENTS).encode("utf-16"), {"format": "json_array"}),
    "wrapper": (json.dumps({"next": None, "Records": EVENTS}).encode(), {"format": "json_wrapped", "records_field": "Records"}),
    "wrapper over lines": (json.dumps({"value": EVENTS}, indent=1).encode(), {"format": "json_wrapped", "records_field": "value"}),
    "a wrapper a line": (lines({"records": EVENTS}, {"records": EVENTS}).encode(), {"format": "json_wrapped", "records_field": "records"}),
    "table": (TABLE.replace(";", ",").encode(), {"format": "csv"}),
    "table with semicolons": (TABLE.encode(), {"format": "csv", "delimiter": ";"}),
    "table with tabs": (TABLE.replace(";", "\t").encode(), {"format": "csv", "delimiter": "\t"}),
    "table in UTF-16": (TABLE.encode("utf-16-le"), {"format": "csv", "delimiter": ";"}),
    "parquet": (_parquet(), {"format": "parquet"}),
    "syslog": (SYSLOG.encode(), {"format": "text", "pattern": "syslog"}),
    "syslog of RFC 3339": (
        SYSLOG.replace("Mar  1 10:00:00", "2026-03-01T10:00:00+01:00").encode(),
        {"format": "text", "pattern": "syslog_iso"},
    ),
    "web server": (
        b'203.0.113.9 - ada [01/Mar/2026:10:00:00 +0000] "GET /login HTTP/1.1" 200 5 "-" "curl/8"\n',
        {"format": "text", "pattern": "combined_log"},
    ),
    "cells without a header": (
        b"ada,login,203.0.113.9\nbob,login,203.0.113.8\n",
        {"format": "text", "pattern": '"?(?<field_1>[^",]*)"?,"?(?<field_2>[^",]*)"?,"?(?<ip>[^",]*)"?'},
    ),
    "columns named by a comment": (
        b"#Version: 1.0\n#Fields: date time c-ip cs-username\n2026-03-01 10:00:00 203.0.113.9 ada\n2026-03-01 10:00:01 203.0.113.8 -\n",
        {"format": "text", "pattern": '"?(?<date>[^" ]*)"? "?(?<time>[^" ]*)"? "?(?<c_ip>[^" ]*)"? "?(?<cs_username>[^" ]*)"?'},
    ),
    "words": (
        b"hello\nworld, how are you\n",
        {"format": "text", "pattern": "(?<word>[A-Za-z_][A-Za-z0-9_.$/-]*)[ \\t]*[:,;|-]?[ \\t]*(?<message>.*)"},
    ),
}  # fmt: skip
"""The content of a file, and what is to be said of its format."""

DATED = "try_to_timestamp(case when ts like '____-__-___%' then ts end)"
MILLIS = "case when try_cast(ts as bigint) between 1 and 253402300799999 then timestamp_millis(try_cast(ts as bigint)) end"
MICROS = "case when try_cast(ts as bigint) between 1 and 253402300799999999 then timestamp_micros(try_cast(ts as bigint)) end"
NANOS = "case when try_cast(ts as bigint) > 0 then timestamp_micros(try_cast(ts as bigint) div 1000) end"
SECONDS = (
    "case when try_cast(ts as decimal(20, 6)) between 1 and 253402300799 then "
    "timestamp_micros(cast(try_cast(ts as decimal(20, 6)) * 1000000 as bigint)) end"
)


def time_text(form: str, text: str = "ts", **more: str) -> Made:
    return {"text": text, "format": form, "zone": "UTC", **more}


TIMES: dict[Any, tuple[Any, int | None, str]] = {
    "2024-08-15T15:05:09.154Z": (DATED, 2024, "2024-08-15T15:05:09.154000"),
    "2024-08-15 15:05:09": (DATED, 2024, "2024-08-15T15:05:09.000000"),
    "2024-08-15 15:05:09.154 UTC": (DATED, 2024, "2024-08-15T15:05:09.154000"),
    "2024-08-15T15:05:09+0200": (DATED, 2024, "2024-08-15T13:05:09.000000"),
    "2024-08-15 15:05:09,154": (time_text("yyyy-MM-dd HH:mm:ss[,SSSSSSSSS]", "replace(ts, 'T', ' ')"), 2024, "2024-08-15T15:05:09.154000"),
    "15/Aug/2024:15:05:09 +0200": ("try_to_timestamp(ts, 'd/MMM/yyyy:HH:mm:ss Z')", 2024, "2024-08-15T13:05:09.000000"),
    "15/Aug/2024:15:05:09.154": (time_text("d/MMM/yyyy:HH:mm:ss[.SSSSSSSSS]"), 2024, "2024-08-15T15:05:09.154000"),
    "Aug 15 15:05:09": (time_text("MMM d HH:mm:ss", year="landed"), None, "2025-08-15T15:05:09.000000"),
    "2024/08/15 15:05:09": (time_text("yyyy/MM/dd HH:mm:ss[.SSSSSSSSS]"), 2024, "2024-08-15T15:05:09.000000"),
    "Thu Aug 15 15:05:09 2024": (time_text("MMM d HH:mm:ss yyyy", "substr(ts, 5)"), 2024, "2024-08-15T15:05:09.000000"),
    "Thu, 15 Aug 2024 15:05:09 +0200": ("try_to_timestamp(substr(ts, 6), 'd MMM yyyy HH:mm:ss Z')", 2024, "2024-08-15T13:05:09.000000"),
    "8/15/2024 3:05:09 PM": (time_text("M/d/yyyy h:mm:ss a", "replace(ts, ',', '')"), 2024, "2024-08-15T15:05:09.000000"),
    "15.08.2024 15:05:09": (time_text("d/M/yyyy HH:mm:ss", "translate(ts, '.,', '/')"), 2024, "2024-08-15T15:05:09.000000"),
    "20240815150509": (time_text("yyyyMMddHHmmss"), 2024, "2024-08-15T15:05:09.000000"),
    1723734309: (SECONDS, 2024, "2024-08-15T15:05:09.000000"),
    1723734309.154: (SECONDS, 2024, "2024-08-15T15:05:09.154000"),
    1723734309154: (MILLIS, 2024, "2024-08-15T15:05:09.154000"),
    "1723734309154": (MILLIS, 2024, "2024-08-15T15:05:09.154000"),
    1723734309154000: (MICROS, 2024, "2024-08-15T15:05:09.154000"),
    1723734309154000000: (NANOS, 2024, "2024-08-15T15:05:09.154000"),
    "12:30": ("cast(landed_on as timestamp)", None, "2026-03-01T00:00:00.000000"),
    42: ("cast(landed_on as timestamp)", None, "2026-03-01T00:00:00.000000"),
}
"""A value of the field `ts`; then its expression, the year that it has, and the instant that it is where it landed on 2026-03-01."""
