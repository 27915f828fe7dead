"""Gold transforms: from events of sign-ins, or from other gold rows, to the tables that clients read. Frames in, frames out.

Does not belong here: which days to compute (jobs.aggregate), reading or writing tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyspark.sql import DataFrame

from jobs.gold.funnel import signin_funnel_daily
from jobs.gold.sign_ins import auth_daily, auth_hourly, failure_reasons_daily, places_and_devices_daily, user_days
from jobs.gold.signals import security_signals
from jobs.gold.users import active_users_daily, retention_weekly, usage_and_billing_monthly, user_features_daily

TRANSFORMS: Mapping[str, Callable[..., DataFrame]] = {
    "gold.user_days": user_days,
    "gold.auth_daily": auth_daily,
    "gold.auth_hourly": auth_hourly,
    "gold.failure_reasons_daily": failure_reasons_daily,
    "gold.places_and_devices_daily": places_and_devices_daily,
    "gold.signin_funnel_daily": signin_funnel_daily,
    "gold.active_users_daily": active_users_daily,
    "gold.user_features_daily": user_features_daily,
    "gold.retention_weekly": retention_weekly,
    "gold.usage_and_billing_monthly": usage_and_billing_monthly,
    "gold.security_signals": security_signals,
}
"""Gold table to the function that computes it, which takes a frame for each of its inputs, in their order; for `silver.auth_events`
the events of sign-ins among them (`sign_ins`), `located` for a table whose definition says so."""
