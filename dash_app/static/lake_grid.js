/* Cells of the grids of the pages on data, saving a grid as CSV, and the lines of the lineage graph. Every value becomes text, never markup.
   Does not belong here: cells that the page of pipelines has too (grid.js), where rows come from, or colours (tokens.css). */
(function () {
  "use strict";

  const h = (...args) => window.React.createElement(...args);
  const count = (n) => (n === null || n === undefined ? "–" : n.toLocaleString("en-US"));
  const TONES = { failed: "bad", not_evaluated: "bad", warned: "warn", passed: "good" };
  const RANKS = ["bad", "bad", "warn", "good"];
  const SIGNS = { good: "✓", warn: "!", bad: "✕", busy: "↻", none: "–" };
  const LAYERS = ["bronze", "silver", "gold"];
  const DAY_MS = 86400000;
  const HISTORY_SHOWN = 14;
  const TABLE = /^(bronze|silver|gold|ops|ctl)\./;

  const swatch = (layer) => h("i", { className: `swatch layer-${LAYERS.includes(layer) ? layer : "other"}` });
  const badge = (data) => data.synthetic && h("span", { className: "badge", title: "Includes synthetic data, made by the simulator" }, "synthetic");
  const tableHref = (name) => `/tables/${encodeURIComponent(name)}`;
  const two = (main, sub) => h("div", { className: "cell-two" }, main, sub);
  const sub = (...text) => h("div", { className: "cell-sub" }, ...text);

  function measure(n) {
    if (n === null || n === undefined) return "–";
    return Number.isInteger(n) ? n.toLocaleString("en-US") : n.toLocaleString("en-US", { maximumSignificantDigits: 4 });
  }

  function bytes(n) {
    if (n === null || n === undefined) return "–";
    let value = n, unit = 0;
    while (value >= 1024 && unit < 4) { value /= 1024; unit += 1; }
    return unit === 0 ? `${n} B` : `${value.toFixed(value >= 100 ? 0 : 1)} ${["KiB", "MiB", "GiB", "TiB"][unit - 1]}`;
  }

  /* A link within the app: the router takes it, so that nothing is loaded anew; with a key held down the browser does as ever. */
  function leading(href, ...children) {
    const follow = (event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      window.history.pushState({}, "", href);
      window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
      window.scrollTo(0, 0);
    };
    return h("a", { href, onClick: follow }, ...children);
  }

  function TableOf({ data }) {
    const name = data.asset || data.table_name;
    return two(
      h("div", { className: "cell-main", title: name }, swatch(data.layer), TABLE.test(name) ? leading(tableHref(name), name) : h("span", null, name)),
      sub(badge(data), data.pipeline, data.partition ? ` · ${data.partition}` : ""));
  }

  function NameOf({ data }) {
    return two(
      h("div", { className: "cell-main", title: data.description }, swatch(data.layer), leading(tableHref(data.name), data.name)),
      sub(badge(data), data.description));
  }

  const SliceOf = ({ data }) => two(h("div", { className: "cell-main" }, data.tenant_id), sub(badge(data), `${data.batch_id} · ${data.layers.join(", ")}`));
  const SourceOf = ({ data }) => two(h("div", { className: "cell-main" }, data.source), sub(badge(data), data.tenant_id));
  const CheckOf = ({ data }) => two(h("div", { className: "cell-main", title: data.check_name }, data.check_name), sub(data.column_name || data.check_type));
  const PlaceOf = ({ data }) => h("div", { className: "cell-prose", title: data.file },
    h("span", { className: "mono" }, data.file.split("/").pop()), sub(`row ${count(data.row)}`), sub(data.batch_id));
  const Problem = ({ data }) => (data.error_class ? h("div", { className: "cell-prose" }, h("strong", null, data.error_class), data.error_message) : null);
  const RunLink = ({ value }) => (value
    ? h("span", { className: "mono", title: `Run ${value}` }, leading(`/runs/${encodeURIComponent(value)}`, value.slice(0, 8)))
    : h("span", { className: "muted" }, "–"));
  const ExpectedOf = ({ value, data }) => h("div", { className: "cell-prose" }, value || "–", h("span", { className: "muted" }, `else ${data.severity_text}`));
  const Path = ({ value, data }) => h("div", { className: "cell-prose" }, h("span", { className: "mono" }, value), badge(data));

  function ReasonOf({ data }) {
    return h("div", { className: "cell-prose" },
      h("strong", null, data.reason_text || "(no reason)"),
      data.detail && h("span", { className: "muted" }, data.detail),
      sub(`${data.disposition.replace("_", " ")} · ${data.layer}`));
  }

  function EventOf({ data }) {
    const at = data.event_ms === null || data.event_ms === undefined ? null : h("time",
      { className: "clock", dateTime: new Date(data.event_ms).toISOString(), title: window.clearlake.utcText(data.event_ms) },
      window.clearlake.timeText.clock(data.event_ms));
    return h("div", { className: "cell-prose" }, h("span", { className: "mono" }, data.event_id || "no id could be read"), h("div", { className: "cell-sub" }, at));
  }

  const Raw = ({ value, data }) => h("pre", { className: data.is_raw ? "cell-raw cell-raw-open" : "cell-raw", title: data.is_raw ? "As it came" : "Masked" }, value);
  const CountLink = ({ value, data }) => leading(data.href, count(value));
  const Lead = ({ value, text }) => leading(value, text);
  const FailedOf = ({ value, data }) => two(
    h("span", { className: value ? "cell-number ink-bad" : "cell-number" }, value && data.href ? leading(data.href, count(value)) : count(value)),
    data.rows_tested ? h("span", { className: "cell-sub" }, `of ${count(data.rows_tested)}`) : null);
  const PiiOf = ({ value, data }) => h("span", { title: `${value} of ${data.columns} columns hold personal data` }, value ? count(value) : "–");
  const Pii = ({ value }) => (value ? h("span", { className: "badge badge-pii", title: "Holds personal data" }, "PII") : null);
  const YesNo = ({ value }) => (value ? "yes" : "");
  const Prose = ({ value }) => h("div", { className: "cell-prose" }, value);
  const Plain = ({ value }) => (value === null || value === undefined ? "–" : String(value));
  const ColumnOf = ({ data }) => h("div", { className: "cell-main" }, h("code", null, data.name), data.is_key && h("span", { className: "badge", title: "Part of the key" }, "key"));

  function pill(tone, text, title) {
    return h("span", { className: `pill tone-${tone}`, title }, h("span", { className: "pill-sign", "aria-hidden": true }, SIGNS[tone] || "–"), text);
  }

  const Promise_ = ({ data }) => (data.promise_text ? two(
    pill(data.promise_tone, data.promise_text, "The worst of what is promised of the table"),
    data.budget_burnt === null || data.budget_burnt === undefined ? null : sub(data.budget_burnt > 1 ? "overdrawn" : `${Math.round(100 * (1 - data.budget_burnt))} % left`)) : h("span", { className: "muted" }, "–"));
  const LastRun = ({ data }) => (data.last_label ? pill(data.last_tone, data.last_label, "How the last attempt that is over ended") : h("span", { className: "muted" }, "–"));

  function AgoOrNothing({ value }) {
    if (value === null || value === undefined) return h("span", { className: "muted" }, "–");
    return h("time", { className: "ago", dateTime: new Date(value).toISOString(), title: window.clearlake.utcText(value) }, window.clearlake.timeText.ago(value));
  }

  function History({ value, data }) {
    const known = new Map((value || []).map((day) => [day.day, day]));
    const today = Math.floor(Date.now() / DAY_MS);
    const newest = Math.max(today, ...known.keys());
    const marks = [];
    for (let day = newest - HISTORY_SHOWN + 1; day <= newest; day += 1) {
      const seen = known.get(day);
      const name = new Date(day * DAY_MS).toISOString().slice(0, 10);
      const told = seen ? `${name}: ran ${count(seen.times)} times, ${count(seen.failed)} failed` : `${name}: did not run`;
      marks.push(h("span", { key: day, className: seen ? `history-day fill-${RANKS[seen.worst]}` : "history-day", title: told },
        seen && seen.worst < 2 ? "✕" : seen && seen.worst === 2 ? "!" : ""));
    }
    const label = `${data.times_failed} of ${data.times} times failed`;
    return h("div", { className: "history", role: "img", "aria-label": label }, marks);
  }

  window.dashAgGridComponentFunctions = Object.assign(window.dashAgGridComponentFunctions || {}, {
    TableOf, NameOf, SliceOf, SourceOf, CheckOf, ExpectedOf, Problem, RunLink, PlaceOf, Path, ReasonOf, EventOf, Raw, CountLink, Lead, FailedOf, PiiOf, Pii, YesNo, Prose,
    Plain, ColumnOf, LastRun, AgoOrNothing, History, Promise: Promise_,
  });

  window.dashAgGridFunctions = Object.assign(window.dashAgGridFunctions || {}, {
    bytes,
    measure,
  });

  /* A cell that begins like a formula would be one to a spreadsheet. */
  const asText = (value) => {
    const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    return /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  };

  function exported(button) {
    const api = window.dash_ag_grid.getApi(button.dataset.save);
    if (!api) return;
    const times = (params) => (/_ms$/.test(params.column.getColId()) && params.value ? new Date(params.value).toISOString() : params.value);
    const columns = api.getColumns().filter((one) => one.getColDef().headerName).map((one) => one.getColId());
    api.exportDataAsCsv({
      fileName: `${button.dataset.saveAs}.csv`, columnKeys: columns, processCellCallback: (params) => asText(times(params)),
    });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button[data-save]");
    if (button) exported(button);
  });

  const SVG = "http://www.w3.org/2000/svg";

  function drawLines(graph) {
    const lines = graph.querySelector(".lineage-edges");
    const frame = graph.getBoundingClientRect();
    const at = new Map([...graph.querySelectorAll("[data-node]")].map((node) => [node.dataset.node, node.firstElementChild.getBoundingClientRect()]));
    const drawn = document.createElementNS(SVG, "svg");
    drawn.setAttribute("width", graph.scrollWidth);
    drawn.setAttribute("height", graph.scrollHeight);
    for (const pair of graph.dataset.edges.split("\n")) {
      const [start, end] = pair.split("\t").map((name) => at.get(name));
      if (!start || !end) continue;
      const x1 = start.right - frame.left + graph.scrollLeft, y1 = start.top + start.height / 2 - frame.top + graph.scrollTop;
      const x2 = end.left - frame.left + graph.scrollLeft, y2 = end.top + end.height / 2 - frame.top + graph.scrollTop;
      const line = document.createElementNS(SVG, "path");
      const middle = (x1 + x2) / 2;
      line.setAttribute("d", `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`);
      drawn.append(line);
    }
    lines.replaceChildren(drawn);
  }

  /* Where the graph is wider than the page, its table is in the middle of what is seen. */
  function showHere(graph) {
    const here = graph.querySelector(".lineage-here");
    if (here) graph.scrollLeft = here.offsetLeft + here.parentElement.parentElement.offsetLeft - (graph.clientWidth - here.offsetWidth) / 2;
  }

  const resized = new ResizeObserver((entries) => entries.forEach((entry) => drawLines(entry.target)));
  const watched = new WeakSet();

  new MutationObserver(() => {
    for (const graph of document.querySelectorAll(".lineage")) {
      const edges = graph.dataset.edges;
      if (watched.has(graph) && graph.dataset.drawn === edges) continue;
      graph.dataset.drawn = edges;
      if (!watched.has(graph)) { watched.add(graph); resized.observe(graph); showHere(graph); }
      requestAnimationFrame(() => drawLines(graph));
    }
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-edges"] });
})();
