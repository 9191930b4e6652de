// Shows what became of a test send without a reload: asks while something is under way.
(() => {
  "use strict";

  const place = document.querySelector("[data-results-url]");
  const SECONDS = 1.5;
  let shown = null;

  async function ask() {
    let again = true;
    if (!document.hidden) {
      try {
        const answer = await fetch(place.dataset.resultsUrl, { redirect: "error" });
        if (!answer.ok) throw new Error(String(answer.status));
        const html = await answer.text();
        // Left alone while nothing changes: a screen reader says only what is new.
        if (html !== shown) place.innerHTML = html;
        shown = html;
        again = place.querySelector("[data-waiting]") !== null;
      } catch {
        again = true; // the server restarts, or the connection is away
      }
    }
    if (again) setTimeout(ask, SECONDS * 1000);
  }

  if (place && place.querySelector("[data-waiting]")) setTimeout(ask, SECONDS * 400);
})();
