// Shows the next runs of a series while its rule is typed, and only the days that matter.
// Without this, the button “Show the next runs” does the same.
(() => {
  "use strict";

  const form = document.querySelector("form[data-next-runs]");
  if (!form) return;
  const look = form.querySelector("[data-look]");
  let timer = null;
  let asked = 0;

  function showDays() {
    const chosen = form.querySelector("input[name=frequency]:checked");
    for (const part of form.querySelectorAll("[data-frequency]")) {
      part.hidden = Boolean(chosen) && part.dataset.frequency !== chosen.value;
    }
  }

  async function ask() {
    const number = ++asked;
    const fields = new URLSearchParams(new FormData(form));
    fields.delete("csrfmiddlewaretoken");
    try {
      const answer = await fetch(`${form.dataset.nextRuns}?${fields}`, { redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      if (number === asked) look.innerHTML = html;
    } catch {
      form.querySelector("[data-look-button]").hidden = false; // it asks in another way
    }
  }

  form.querySelector("[data-look-button]").hidden = true;
  form.addEventListener("input", () => {
    showDays();
    clearTimeout(timer);
    timer = setTimeout(ask, 250);
  });
  showDays();
})();
