"""Fixtures that every tier may ask for.

Does not belong here: fixtures of one tier only.
"""

pytest_plugins = ("tests.fixtures", "tests.postgres")
