"""Figures of the operations pages, as plain Plotly dictionaries.

Colours are names of CSS variables, such as `var(--series-gold)`; the browser puts the values of its light or dark theme in.

Does not belong here: queries, or the values of colours (static/tokens.css).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any

Row = dict[str, Any]
Figure = dict[str, Any]

COLUMNS = 3
PANEL_PX = 132
GAP_PX = 58
TOP_PX = 34
BOTTOM_PX = 34
WIDE_PX = 220
EPOCH = date(1970, 1, 1)
FONT = "var(--font)"
LAYERS = ("bronze", "silver", "gold", "other")


def trend(days: Sequence[Row], *, first_day: int, n_days: int, title: str | None = None) -> Figure:
    """Rows inserted per day (UTC): a panel for each pipeline, a bar for each of its layers, a cross where an attempt failed.

    Args:
        days: rows with pipeline, layer, day (days since 1970), rows_inserted and failed.
        first_day: first day that is shown.
        n_days: how many days are shown.
        title: heading of the only panel; without it each pipeline has its own.
    """
    names = [title] if title else _pipelines_with_rows(days)
    columns = min(COLUMNS, len(names)) or 1
    shown = [first_day + n for n in range(n_days)]
    figure: Figure = {"data": [], "layout": _layout(len(names), columns)}
    for index, name in enumerate(names):
        rows = [r for r in days if title or r["pipeline"] == name]
        _add_panel(figure, index, name, rows, shown)
        _place_panel(figure, index, columns, [_iso(day) for day in shown])
    return figure


def band(hours: Sequence[Row]) -> Figure:
    """Rows of each hour of event time (UTC) as a line, over the band in which they are expected.

    Args:
        hours: rows with hour_ms (milliseconds since 1970, UTC), observed, expected, lower and upper; the last three may be None.
    """
    figure: Figure = {"data": [], "layout": _layout(1, 1)}
    x = [row["hour_ms"] for row in hours]
    edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "hoverinfo": "skip", "connectgaps": False}
    judged = any(row["expected"] is not None for row in hours)
    if judged:
        filled = {"fill": "tonexty", "fillcolor": "var(--band)"}
        figure["data"] += [{**edge, "y": [row["lower"] for row in hours]}, {**edge, **filled, "y": [row["upper"] for row in hours]}]
        expected = {"width": 1, "dash": "dot", "color": "var(--ink-3)"}
        figure["data"].append(_line("expected", x, [row["expected"] for row in hours], expected))
    figure["data"].append(_line("observed", x, [row["observed"] for row in hours], {"width": 1.6, "color": "var(--accent)"}))
    _place_panel(figure, 0, 1, [])
    figure["layout"]["xaxis"] |= {"tickformat": "%-d %b", "hoverformat": "%a %-d %b %H:%M (UTC)", "nticks": 8}
    return figure


def _line(name: str, x: list[int], y: list[Any], line: Figure) -> Figure:
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line,
        "hovertemplate": "%{y:,.0f} rows<extra>" + name + "</extra>",
    }  # fmt: skip


def layers_shown(days: Sequence[Row]) -> list[str]:
    """Layers that the trend has bars of, in order."""
    return [layer for layer in LAYERS if any(_layer(r) == layer and r["rows_inserted"] for r in days)]


def _layer(row: Row) -> str:
    return str(row["layer"]) if row["layer"] in LAYERS else "other"


def _pipelines_with_rows(days: Sequence[Row]) -> list[str]:
    return sorted({str(r["pipeline"]) for r in days if r["rows_inserted"] or r["failed"]})


def _layout(n_panels: int, columns: int) -> Figure:
    rows = ceil(n_panels / columns)
    panel = WIDE_PX if columns == 1 else PANEL_PX
    return {
        "height": TOP_PX + BOTTOM_PX + rows * panel + max(0, rows - 1) * GAP_PX,
        "margin": {"l": 44, "r": 12, "t": TOP_PX, "b": BOTTOM_PX},
        "barmode": "group",
        "bargap": 0.28,
        "bargroupgap": 0.08,
        "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": "var(--ink-2)"},
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": "var(--surface-raised)",
            "bordercolor": "var(--line-strong)",
            "font": {"family": FONT, "size": 12, "color": "var(--ink)"},
        },
        "annotations": [],
        "dragmode": False,
        "uirevision": "keep",
    }


def _add_panel(figure: Figure, index: int, name: str, rows: Sequence[Row], days: Sequence[int]) -> None:
    axis = "" if index == 0 else str(index + 1)
    x = [_iso(day) for day in days]
    top = 0
    for layer in layers_shown(rows):
        counts = [sum(r["rows_inserted"] for r in rows if r["day"] == d and _layer(r) == layer) for d in days]
        top = max(top, *counts)
        figure["data"].append(_bars(layer, x, counts, axis))
    failed = [sum(r["failed"] for r in rows if r["day"] == d) for d in days]
    if any(failed):
        figure["data"].append(_crosses(x, failed, top or 1, axis))
    total = sum(r["rows_inserted"] for r in rows)
    figure["layout"]["annotations"].append(_heading(axis, name, total))


def _bars(layer: str, x: list[str], counts: list[int], axis: str) -> Figure:
    return {
        "type": "bar",
        "name": layer,
        "x": x,
        "y": counts,
        "xaxis": f"x{axis}",
        "yaxis": f"y{axis}",
        "marker": {"color": f"var(--series-{layer})", "line": {"width": 0}, "cornerradius": 2},
        "hovertemplate": "%{y:,} rows<extra>" + layer + "</extra>",
    }


def _crosses(x: list[str], failed: list[int], top: int, axis: str) -> Figure:
    shown = [(day, n) for day, n in zip(x, failed, strict=True) if n]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "failed",
        "x": [day for day, _ in shown],
        "y": [top * 1.14] * len(shown),
        "customdata": [n for _, n in shown],
        "xaxis": f"x{axis}",
        "yaxis": f"y{axis}",
        "marker": {"symbol": "x", "size": 7, "color": "var(--bad)"},
        "hovertemplate": "%{customdata} failed attempts<extra>failed</extra>",
    }


def _heading(axis: str, name: str, total: int) -> Figure:
    return {
        "text": f'<b>{escaped(name)}</b>  <span style="font-size:11px">{total:,} rows</span>',
        "xref": f"x{axis} domain",
        "yref": f"y{axis} domain",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 8,
        "showarrow": False,
        "font": {"family": FONT, "size": 13, "color": "var(--ink)"},
    }


def _iso(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()


def _half_a_day(day: str, sign: int) -> str:
    return (datetime.fromisoformat(day) + sign * timedelta(hours=12)).isoformat()


def escaped(text: str) -> str:
    """Text that Plotly, which knows some HTML, shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _of_days(days: list[str], columns: int) -> Figure:
    return {
        "range": [_half_a_day(days[0], -1), _half_a_day(days[-1], 1)],
        "tickformat": "%-d %b",
        "hoverformat": "%a %-d %b (UTC)",
        "tickvals": days[::-1][:: 1 if columns == 1 else 4],
    }


def _place_panel(figure: Figure, index: int, columns: int, days: list[str]) -> None:
    layout, number = figure["layout"], "" if index == 0 else str(index + 1)
    row, column = divmod(index, columns)
    plot_px = layout["height"] - TOP_PX - BOTTOM_PX
    panel_px = WIDE_PX if columns == 1 else PANEL_PX
    top = 1 - row * (panel_px + GAP_PX) / plot_px
    gap = 0.055 if columns > 1 else 0
    width = (1 - gap * (columns - 1)) / columns
    left = column * (width + gap)
    layout[f"xaxis{number}"] = {
        "domain": [left, min(1, left + width)],
        "anchor": f"y{number}",
        "type": "date",
        **(_of_days(days, columns) if days else {}),
        "showgrid": False,
        "linecolor": "var(--line-strong)",
        "tickfont": {"size": 11, "color": "var(--ink-3)"},
        "fixedrange": True,
    }
    layout[f"yaxis{number}"] = {
        "domain": [max(0, top - panel_px / plot_px), top],
        "anchor": f"x{number}",
        "rangemode": "tozero",
        "nticks": 4,
        "tickformat": "~s",
        "gridcolor": "var(--line)",
        "zeroline": False,
        "tickfont": {"size": 11, "color": "var(--ink-3)"},
        "fixedrange": True,
    }
