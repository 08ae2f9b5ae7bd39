// Chooses light or dark before the first paint and remembers the reader's own choice; it is a
// classic script, so that the page never flashes in the wrong theme.
(() => {
  const key = "countersign-theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function remembered() {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // Storage can be switched off; then the system's theme holds.
    }
  }

  function remember(theme) {
    try {
      localStorage.setItem(key, theme);
    } catch {
      // The choice then lasts until the page is left.
    }
  }

  function show() {
    const shade = root.dataset.theme || (system.matches ? "dark" : "light");
    root.dataset.shade = shade;
    document.getElementById("theme-toggle")?.setAttribute("aria-pressed", shade === "dark");
  }

  const choice = remembered();
  if (choice === "light" || choice === "dark") root.dataset.theme = choice;
  show();

  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme-toggle").addEventListener("click", () => {
      root.dataset.theme = root.dataset.shade === "dark" ? "light" : "dark";
      remember(root.dataset.theme);
      show();
    });
  });
})();
