/* What the browser does by itself: times that stay right, charts in the theme's colours, where one is, choosing, and saving as CSV.
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
  const dayStampFormat = new Intl.DateTimeFormat(undefined, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
  });
  const TEXTS = {
    ago: agoText, clock: clockText, stamp: (ms) => stampFormat.format(new Date(ms)), "day-stamp": (ms) => dayStampFormat.format(new Date(ms)),
  };
  const utcText = (ms) => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;

  function tick() {
    for (const element of document.querySelectorAll("time.ago, time.clock, time.stamp, time.day-stamp")) {
      const text = TEXTS[element.className](Date.parse(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
    markPlace();
    markWatch();
    rememberList();
    if (window.clearlake.fitGrids) window.clearlake.fitGrids();
    const looked = document.querySelector("#looked time, .looked time");
    const dot = document.querySelector(".live-dot");
    const isOld = !looked || Date.now() - Date.parse(looked.dateTime) > 30000;
    if (dot) dot.classList.toggle("stale", isOld || document.querySelector(".banner") !== null);
  }

  const PLACES = { "/runs": "/pipelines" };

  function markPlace() {
    const first = `/${window.location.pathname.split("/")[1]}`;
    const place = PLACES[first] || first;
    for (const link of document.querySelectorAll(".nav-link")) {
      const isHere = link.getAttribute("href") === place;
      if (isHere === link.hasAttribute("aria-current")) continue;
      if (!isHere) { link.removeAttribute("aria-current"); continue; }
      link.setAttribute("aria-current", "page");
      const nav = link.parentElement;
      nav.scrollLeft = link.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
    }
  }

  function markWatch() {
    for (const part of document.querySelectorAll("[data-dead-after]")) {
      const after = Number(part.dataset.deadAfter);
      part.classList.toggle("overdue", after > 0 && Date.now() > after);
    }
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

  const PICKED = ["cause", "table", "tenant", "owner"];

  function picked(...values) {
    const asked = new URLSearchParams(window.location.search);
    const before = asked.toString();
    PICKED.forEach((name, i) => (values[i] ? asked.set(name, values[i]) : asked.delete(name)));
    if (asked.toString() === before) return window.dash_clientside.no_update;
    return asked.size ? `?${asked}` : "";
  }

  function tableOf(click) {
    const href = click && click.annotation && click.annotation.name;
    return href && /^\/[a-z]/.test(href) ? href : window.dash_clientside.no_update;
  }

  /* A spreadsheet would run what begins like a formula. */
  const safeText = (value) => (typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value);

  function csvValue({ value, column }) {
    if (value === null || value === undefined) return "";
    const { isTime } = column.getColDef().context || {};
    if (isTime) return new Date(value).toISOString();
    return typeof value === "object" ? JSON.stringify(value) : safeText(value);
  }

  /* The way back from one incident leads to the list as it was last narrowed. */
  const LISTED = "clearlake-incidents";

  function rememberList() {
    if (window.location.pathname === "/incidents") window.sessionStorage.setItem(LISTED, window.location.search);
  }

  document.addEventListener("click", (event) => {
    const search = event.target.closest("#back-to-incidents") && window.sessionStorage.getItem(LISTED);
    if (!search || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    event.stopPropagation();
    window.dash_clientside.set_props("incident-go", { href: `/incidents${search}` });
  }, true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-export]");
    const grid = button && window.dash_ag_grid.getApi(button.dataset.export);
    if (grid) grid.exportDataAsCsv({ fileName: button.dataset.file, allColumns: true, processCellCallback: csvValue });
  });

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    clearlake: {
      figure: (data, _scheme) => withColours(data, getComputedStyle(document.documentElement)),
      selection: (search) => ({ ids: rowIdOf(search) }),
      picked, tableOf,
    },
  });
  window.clearlake = { timeText: TEXTS, utcText, searchOf, rowIdOf, choose };

  const fetchAsBefore = window.fetch;
  window.fetch = async function (...request) {
    const response = await fetchAsBefore.apply(this, request);
    if (response.status === 401) {
      window.location.assign(`/login?next=${encodeURIComponent(window.location.pathname + window.location.search)}`);
    }
    return response;
  };
})();
