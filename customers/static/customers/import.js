// Moves the bar of an import without a reload; the page is loaded again when its state changes.
(() => {
  "use strict";

  const panel = document.querySelector("[data-import-progress]");
  if (!panel) return;
  const text = panel.querySelector("[data-text]");
  const bar = panel.querySelector("progress");

  async function ask() {
    let wait = 1000;
    try {
      const answer = await fetch(panel.dataset.importProgress, { redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const state = await answer.json();
      if (state.status !== panel.dataset.status) {
        window.location.reload();
        return;
      }
      text.textContent = state.text;
      bar.max = state.rows_total || 1;
      bar.value = state.rows_done;
      for (const part of panel.querySelectorAll("[data-stalled]")) part.hidden = !state.stalled;
    } catch {
      wait = 5000; // the server restarts, or the connection is away
    }
    setTimeout(ask, wait);
  }

  setTimeout(ask, 500);
})();
