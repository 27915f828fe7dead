"""The library: the nouns and rules of the lake.

Does not belong here: anything that imports Dagster, Dash or a sibling package (jobs, dq_checks, assets, dash_app, infra).
"""
