/* Sets light or dark before the first paint, from what was chosen here before, else from the system.
   Does not belong here: the switch itself, which is Mantine's and keeps its choice under the same key. */
(function () {
  var chosen = null;
  try {
    chosen = window.localStorage.getItem("mantine-color-scheme-value");
  } catch (error) {
    chosen = null;
  }
  var isDark = chosen === "dark" || (chosen !== "light" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", isDark ? "dark" : "light");
})();
