// Shows the docs light or dark, as the page was set or else as the system is, before the first paint.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem("countersign-theme");
    } catch {
      return null; // Storage can be switched off; then the system's theme holds.
    }
  }

  function show() {
    const choice = chosen();
    const dark = choice === "dark" || (choice !== "light" && system.matches);
    document.documentElement.classList.toggle("dark-mode", dark);
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
  }

  system.addEventListener("change", show);
  show();
})();
