//! Runs before the first paint, so that nobody who chose dark sees a white flash. The page takes over from here (src/theme.ts).
(() => {
  const kept = localStorage.getItem("corral_theme");
  const dark = kept === "dark" || (kept !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
