/* Cells and columns of the grids. Every value becomes text, never markup.
   Does not belong here: where rows come from, or colours (tokens.css). */
(function () {
  "use strict";

  const h = (...args) => window.React.createElement(...args);
  const SIGNS = { good: "✓", warn: "!", bad: "✕", busy: "↻", none: "–" };
  const TONES = ["bad", "warn", "busy", "none", "good"];
  const LAYERS = ["bronze", "silver", "gold"];
  const count = (n) => (n === null || n === undefined ? "–" : n.toLocaleString("en-US"));

  function seconds(s) {
    if (s === null || s === undefined) return "–";
    if (s < 10) return `${s.toFixed(1)} s`;
    if (s < 60) return `${s.toFixed(0)} s`;
    const minutes = Math.floor(Math.round(s) / 60);
    const two = (n) => String(n).padStart(2, "0");
    return minutes < 60 ? `${minutes}m ${two(Math.round(s) % 60)}s` : `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  }

  function time(ms, kind) {
    if (ms === null || ms === undefined) return h("span", { className: "muted" }, kind === "ago" ? "never" : "–");
    const text = window.clearlake.timeText[kind](ms);
    return h("time", { className: kind, dateTime: new Date(ms).toISOString(), title: window.clearlake.utcText(ms) }, text);
  }

  const layerClass = (layer) => `swatch layer-${LAYERS.includes(layer) ? layer : "other"}`;

  function tableName(data) {
    return h("div", { className: "cell-sub", title: data.asset }, h("i", { className: layerClass(data.layer) }), data.asset);
  }

  function Pipeline({ data }) {
    const href = `/pipelines${window.clearlake.searchOf(data.pipeline, data.asset)}`;
    return h("div", { className: "cell-two" },
      h("div", { className: "cell-main" },
        h("a", { href, title: data.pipeline, onClick: (event) => event.preventDefault() }, data.pipeline),
        data.synthetic && h("span", { className: "badge", title: "Includes synthetic data, made by the simulator" }, "synthetic")),
      tableName(data));
  }

  function Place({ data }) {
    return h("div", { className: "cell-two" }, h("div", { className: "cell-main", title: data.pipeline }, data.pipeline), tableName(data));
  }

  function Status({ data }) {
    const isBusy = data.tone === "busy" && data.health && data.health !== "good" && data.health !== "none";
    return h("div", { className: "cell-two" },
      h("span", { className: `pill tone-${data.tone}`, title: data.meaning },
        h("span", { className: "pill-sign", "aria-hidden": true }, SIGNS[data.tone] || "–"), data.label),
      isBusy && h("span", { className: `cell-sub ink-${data.health}` }, `before: ${data.last_label.toLowerCase()}`));
  }

  function SuccessRate({ data }) {
    if (!data.rated) return h("span", { className: "muted" }, "–");
    const tenths = Math.floor((1000 * data.succeeded) / data.rated);
    const percent = tenths === 1000 ? "100 %" : `${(tenths / 10).toFixed(1)} %`;
    return h("div", { className: "cell-two" },
      h("span", { className: "cell-number" }, percent),
      h("span", { className: "cell-sub" }, `${count(data.succeeded)} of ${count(data.rated)}`));
  }

  function CountAnd({ value, data, beneath, word }) {
    return h("div", { className: "cell-two" },
      h("span", { className: "cell-number" }, count(value)),
      data[beneath] ? h("span", { className: "cell-sub" }, `${count(data[beneath])} ${word}`) : null);
  }

  function Sparkline({ value, data }) {
    const runs = value || [];
    if (!runs.length) return h("span", { className: "muted" }, "–");
    const width = 132, height = 30, slots = Math.max(runs.length, 12), step = width / slots;
    const top = Math.max(1, ...runs.map((run) => run.rows || 0));
    const marks = runs.map((run, i) => {
      const x = width - (runs.length - i) * step;
      if (run.bad) return cross(i, x + step / 2, height - 4);
      const tall = run.rows ? Math.max(2, (run.rows / top) * (height - 2)) : 1;
      return h("rect", { key: i, x: x + step * 0.12, y: height - tall, width: step * 0.76, height: tall, rx: 1, className: "spark-bar" });
    });
    const failed = runs.filter((run) => run.bad).length;
    const last = [...runs].reverse().find((run) => !run.bad);
    const label = `Last ${runs.length} attempts of ${data.asset}: up to ${count(top)} rows inserted, last ${count(last && last.rows)}, ${failed} failed`;
    return h("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, className: "spark" }, h("title", null, label), marks);
  }

  function cross(key, x, y) {
    const d = `M${x - 2.2} ${y - 2.2}L${x + 2.2} ${y + 2.2}M${x - 2.2} ${y + 2.2}L${x + 2.2} ${y - 2.2}`;
    return h("path", { key, d, className: "spark-cross" });
  }

  function ErrorCell({ data }) {
    return h("div", { className: "cell-error" },
      h("strong", null, data.error_class || data.meaning),
      data.error_message && h("span", null, data.error_message));
  }

  function Recovered({ data }) {
    return data.recovered
      ? h("span", { className: "ink-good" }, "✓ recovered")
      : h("span", { className: "ink-bad" }, "✕ still failing");
  }

  function Run({ value }) {
    return h("a", { className: "mono", href: `/runs/${encodeURIComponent(value)}`, title: `Run ${value}` }, value.slice(0, 8));
  }

  const pill = (tone, label, title) => h("span", { className: `pill tone-${tone}`, title },
    h("span", { className: "pill-sign", "aria-hidden": true }, SIGNS[tone] || "–"), label);

  function IncidentTitle({ data }) {
    return h("div", { className: "cell-two cell-wrap" },
      h("div", { className: "cell-title" }, h("a", { href: data.href }, data.title),
        data.synthetic && h("span", { className: "badge", title: "Includes synthetic data, made by the simulator" }, "synthetic")),
      h("div", { className: "cell-sub" }, data.cause));
  }

  const Pill = ({ value, data, tone }) => pill(data[tone], value);

  function Sub({ value, data, beneath, href }) {
    const text = value === null || value === undefined ? "–" : value;
    return h("div", { className: "cell-two" },
      h("div", { className: "cell-main cell-plain", title: text }, data[href] ? h("a", { href: data[href] }, text) : text),
      data[beneath] && h("div", { className: "cell-sub", title: data[beneath] }, data[beneath]));
  }

  const Words = ({ value }) => h("span", { className: "cell-words" }, value === null || value === undefined ? "" : value);

  function Link({ value, data, href }) {
    return value && data[href] ? h("a", { className: "mono cell-link", href: data[href], title: value }, value) : h("span", { className: "muted" }, "–");
  }

  window.dashAgGridComponentFunctions = Object.assign(window.dashAgGridComponentFunctions || {}, {
    Pipeline, Place, IncidentTitle, Pill, Sub, Words, Link, Status, SuccessRate, CountAnd, Sparkline, Recovered, Run, Error: ErrorCell,
    Ago: ({ value }) => time(value, "ago"),
    Clock: ({ value }) => time(value, "clock"),
    Stamp: ({ value }) => time(value, "day-stamp"),
  });

  function fitColumns(api) {
    const width = document.documentElement.clientWidth;
    for (const column of api.getColumns() || []) {
      const { least } = column.getColDef().context || {};
      if (least && column.isVisible() !== width >= least) api.setColumnsVisible([column], width >= least);
    }
  }

  function gridOf(id) {
    try {
      return window.dash_ag_grid.getApi(id);
    } catch (_) {
      return null;
    }
  }

  window.clearlake.fitGrids = () => {
    for (const element of document.querySelectorAll("[id$='-grid']")) {
      const api = gridOf(element.id);
      if (api) fitColumns(api);
    }
  };

  window.dashAgGridFunctions = Object.assign(window.dashAgGridFunctions || {}, {
    count,
    seconds,
    byTone: (_a, _b, nodeA, nodeB) => TONES.indexOf(nodeA.data.tone) - TONES.indexOf(nodeB.data.tone),
    choose: (params) => window.clearlake.choose(params.data.pipeline, params.data.asset),
    chooseByKey: (params) => {
      if (params.event.key === "Enter") window.clearlake.choose(params.data.pipeline, params.data.asset);
    },
    fitColumns: (params) => fitColumns(params.api),
    showChosen: (params) => {
      for (const id of window.clearlake.rowIdOf(window.location.search)) params.api.getRowNode(id)?.setSelected(true);
    },
    clearlakeTheme: (agGrid) => agGrid.themeQuartz.withParams({
      fontFamily: "var(--font)", fontSize: 13, headerFontSize: 11, headerFontWeight: 600,
      backgroundColor: "var(--surface)", foregroundColor: "var(--ink)", headerBackgroundColor: "var(--surface-sunk)",
      headerTextColor: "var(--ink-2)", borderColor: "var(--line)", rowHoverColor: "var(--surface-sunk)",
      selectedRowBackgroundColor: "var(--surface-chosen)", accentColor: "var(--accent)", cellHorizontalPadding: 6,
      wrapperBorder: false, wrapperBorderRadius: 0, headerColumnBorder: false, headerColumnResizeHandleColor: "transparent",
      browserColorScheme: "inherit", spacing: 6,
    }),
  });
})();
