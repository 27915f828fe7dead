"""The frame around every page: where one can go, whether anybody watches, whether messages leave, and what is one's own.

Does not belong here: what a page shows (pages), or reading the heartbeat (pulse).
"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component
from flask_login import current_user

from dash_app import components as ui
from dash_app import links
from dash_app.cache import Look
from dash_app.context import Knowledge, knowledge_of_this_app
from dash_app.incident_queries import alarming
from dash_app.pulse import Health, Pulse, as_ms
from dash_app.sign_in import csrf_token
from dash_app.statuses import Tone

NAVIGATION = (
    ("Overview", links.OVERVIEW),
    ("Incidents", links.INCIDENTS),
    ("Still broken", links.BROKEN),
    ("Pipelines", links.PIPELINES),
    ("Tables", links.TABLES),
    ("Quality", links.QUALITY),
    ("Quarantine", links.QUARANTINE),
    ("Alerts", links.ALERTS),
)
REFRESH_MS = 10_000


def frame(page: Component) -> Component:
    """The frame with a page in it, as things are now; to a stranger, who sees no page, nothing is told."""
    watched = _Watched(knowledge_of_this_app()) if current_user.is_authenticated else None
    return dmc.MantineProvider(
        [
            html.A("Skip to content", href="#content", className="skip"),
            html.Header(
                [
                    _brand(),
                    _navigation(watched.open_incidents() if watched else None),
                    _own(watched.sign() if watched else []),
                ],
                className="bar",
            ),
            html.Div(watched.alarm() if watched else [], id="alarm", role="alert"),
            html.Main(page, id="content", tabIndex="-1"),
            dcc.Interval(id="frame-every", interval=REFRESH_MS),
            dcc.Store(id="frame-seen", data=watched.fingerprint if watched else ""),
            dcc.Store(id="nothing"),
        ],
        defaultColorScheme="auto",
        theme={"fontFamily": "var(--font)", "fontFamilyMonospace": "var(--mono)", "primaryColor": "cyan", "defaultRadius": "md"},
    )


def register(app: Dash) -> None:
    """Keep the frame up to date: look at each interval, draw only what changed."""

    @app.callback(
        Output("watch", "children"),
        Output("alarm", "children"),
        Output("open-incidents", "children"),
        Output("frame-seen", "data"),
        Input("frame-every", "n_intervals"),
        State("frame-seen", "data"),
        prevent_initial_call=True,
    )
    def look_again(_: int, seen: str) -> tuple[Any, ...]:
        watched = _Watched(knowledge_of_this_app())
        if watched.fingerprint == seen:
            return (no_update,) * 4
        return watched.sign(), watched.alarm(), watched.open_incidents(), watched.fingerprint


class _Watched:
    """What the frame tells of the watch: the evaluator, its channels, and how many incidents are open."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._look = knowledge.watch.look()
        self._health = knowledge.watch.health(self._look)
        self._pulse = self._look.value or Pulse()
        self._n_open = len(alarming(knowledge.incidents.all().value or []))

    @property
    def fingerprint(self) -> str:
        """Changes when, and only when, the frame must be drawn anew."""
        return Look((self._look.fingerprint, self._health, self._n_open)).fingerprint

    def open_incidents(self) -> Component | None:
        """How many incidents are open, where any is."""
        words = "1 open incident" if self._n_open == 1 else f"{self._n_open:,} open incidents"
        return html.Span(f"{self._n_open:,}", className="nav-count", title=words, **{"aria-label": words}) if self._n_open else None

    def sign(self) -> list[Component]:
        """Evaluator and channels in a few words."""
        return [self._evaluator(), self._channels()]

    def alarm(self) -> list[Component]:
        """What makes every page less than it seems."""
        return [*self._silence(), *[_mute(name, channel) for name, channel in self._pulse.dead_channels().items()]]

    def _evaluator(self) -> Component:
        tone, words = {
            Health.ALIVE: (Tone.GOOD, "Watched"),
            Health.DEAD: (Tone.BAD, "Not watched"),
            Health.UNKNOWN: (Tone.WARN, "Watch not known"),
        }[self._health]
        beat = self._pulse.beat
        return html.Span(
            [
                _sign(tone),
                html.Span(words, className="watch-words"),
                html.Span(ui.ago(as_ms(beat.beat_at)) if beat else "no heartbeat", className="watch-age"),
            ],
            className=f"watch-part ink-{tone}",
            title="When the evaluator last looked at everything",
            **{"data-dead-after": str(self._pulse.dead_after_ms() or "")},
        )

    def _channels(self) -> Component:
        n, dead = len(self._pulse.channels()), len(self._pulse.dead_channels())
        tone = Tone.NONE if not n else Tone.BAD if dead == n else Tone.WARN if dead else Tone.GOOD
        words = "no channel" if not n else f"{n - dead} of {n} channels" if dead else "1 channel" if n == 1 else f"{n} channels"
        parts = [_sign(tone), html.Span(words, className="watch-words")]
        return html.Span(parts, className=f"watch-part ink-{tone}", title="Channels by which messages leave")

    def _silence(self) -> list[Component]:
        if self._health is not Health.DEAD:
            return []
        beat = self._pulse.beat
        since: list[Any] = [" It last looked ", ui.ago(as_ms(beat.beat_at)), "."] if beat else [f" The reason: {self._pulse.fault}."]
        state = "was stopped" if beat and beat.is_stopped else "is silent"
        words = [html.Strong(f"Nobody is watching: the evaluator {state}."), *since, " New trouble is neither found nor told."]
        return [_line(Tone.BAD, [*words, " Next: ", html.Code("lakehouse doctor")])]


def _mute(name: str, channel: Any) -> Component:
    since: list[Any] = [" since ", ui.clock(as_ms(channel.since))] if channel.since else []
    why = [": ", html.Span(channel.error, className="alarm-why")] if channel.error else ["."]
    return _line(Tone.WARN, [html.Strong(["No message leaves by ", name, *since]), *why, " ", dcc.Link("Alerts", href=links.ALERTS)])


def _line(tone: Tone, words: list[Any]) -> Component:
    sign = html.Span(ui.SIGNS[tone], className="banner-sign", **{"aria-hidden": "true"})
    return html.Div([sign, html.Div(words)], className=f"alarm tone-{tone}")


def _sign(tone: Tone) -> Component:
    return html.Span(ui.SIGNS[tone], className="watch-sign", **{"aria-hidden": "true"})


def _brand() -> Component:
    return dcc.Link(
        [
            html.Img(src="/assets/favicon.svg", alt="", width=24, height=24),
            html.Span("Clearlake", className="brand-name"),
            html.Span("Operations", className="brand-part"),
        ],
        href=links.OVERVIEW,
        className="brand",
    )


def _navigation(n_open: Component | None) -> Component:
    counts = {links.INCIDENTS: html.Span(n_open, id="open-incidents")}
    return html.Nav(
        [dcc.Link([html.Span(name), counts.get(path)], href=path, className="nav-link") for name, path in NAVIGATION],
        **{"aria-label": "Pages"},
    )


def _own(sign: list[Component]) -> Component:
    toggle = dmc.ColorSchemeToggle(
        id="scheme",
        lightIcon=html.Span("☀", **{"aria-hidden": "true"}),
        darkIcon=html.Span("☾", **{"aria-hidden": "true"}),
        variant="default",
        size="lg",
        **{"aria-label": "Switch between light and dark"},
    )
    sign_out = html.Form(
        [
            dcc.Input(type="hidden", name="csrf", value=csrf_token()),
            html.Button("Sign out", type="submit", className="button", title=f"Signed in as {_who()}"),
        ],
        action="/logout",
        method="post",
    )
    watch = dcc.Link(sign, href=links.ALERTS, id="watch", className="watch")
    return html.Div([watch, toggle, sign_out], className="own")


def _who() -> str:
    return str(getattr(current_user, "name", "nobody"))
