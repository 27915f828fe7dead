/* What the browser does by itself: times that stay right, charts in the theme's colours, and choosing a pipeline.
   Does not belong here: how cells of a grid are drawn (grid.js), or any number that SQL can give. */
(function () {
  "use strict";

  const MINUTE = 60, HOUR = 3600, DAY = 86400;
  const clockFormat = new Intl.DateTimeFormat(undefined, {
    day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false,
  });

  const stampFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

  function agoText(ms) {
    const s = Math.max(0, Math.round((Date.now() - ms) / 1000));
    if (s < 5) return "just now";
    if (s < MINUTE) return `${s} s ago`;
    if (s < HOUR) return `${Math.floor(s / MINUTE)} min ago`;
    if (s < 2 * DAY) return `${Math.floor(s / HOUR)} h ago`;
    return `${Math.floor(s / DAY)} days ago`;
  }

  const clockText = (ms) => clockFormat.format(new Date(ms));
  const TEXTS = { ago: agoText, clock: clockText, stamp: (ms) => stampFormat.format(new Date(ms)) };
  const utcText = (ms) => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;

  function tick() {
    for (const element of document.querySelectorAll("time.ago, time.clock, time.stamp")) {
      const text = TEXTS[element.className](Date.parse(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
    const looked = document.querySelector("#looked time");
    const dot = document.querySelector(".live-dot");
    const isOld = !looked || Date.now() - Date.parse(looked.dateTime) > 30000;
    if (dot) dot.classList.toggle("stale", isOld || document.querySelector(".banner") !== null);
  }

  let isDue = false;
  new MutationObserver(() => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => { isDue = false; tick(); });
  }).observe(document.documentElement, { childList: true, subtree: true });
  setInterval(tick, 1000);

  function withColours(value, style) {
    if (typeof value === "string") {
      const name = /^var\((--[a-z0-9-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((item) => withColours(item, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withColours(item, style)]));
    }
    return value;
  }

  const searchOf = (pipeline, table) => `?${new URLSearchParams({ pipeline, table })}`;

  function choose(pipeline, table) {
    const search = searchOf(pipeline, table);
    window.dash_clientside.set_props("view", { search: window.location.search === search ? "" : search });
  }

  function rowIdOf(search) {
    const asked = new URLSearchParams(search || "");
    return asked.has("table") ? [`${asked.get("pipeline")}|${asked.get("table")}`] : [];
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    clearlake: {
      figure: (data, _scheme) => withColours(data, getComputedStyle(document.documentElement)),
      selection: (search) => ({ ids: rowIdOf(search) }),
    },
  });
  window.clearlake = { agoText, clockText, utcText, searchOf, rowIdOf, choose };

  const fetchAsBefore = window.fetch;
  window.fetch = async function (...request) {
    const response = await fetchAsBefore.apply(this, request);
    if (response.status === 401) {
      window.location.assign(`/login?next=${encodeURIComponent(window.location.pathname + window.location.search)}`);
    }
    return response;
  };
})();
