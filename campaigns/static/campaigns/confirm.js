// The confirm page: counts follow the audience while it is chosen. A choice is saved as its button
// would save it; the parts of the answered page marked data-fresh take the place of those here.
(() => {
  "use strict";

  const form = document.querySelector("form[data-audience]");
  if (!form) return;
  const status = document.querySelector("[data-counting]");
  let timer = null;
  let busy = false;
  let again = false;

  // A problem of the audience leads to where it is chosen, which may be folded away.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href="#hb-audience"]');
    if (link) document.getElementById("hb-audience").open = true;
  });

  function hold(held) {
    for (const button of document.querySelectorAll("[data-decides]")) {
      // What is counted anew must not be sent as it was.
      if (held && !button.disabled) {
        button.disabled = true;
        button.dataset.held = "";
      } else if (!held && "held" in button.dataset) {
        button.disabled = false;
        delete button.dataset.held;
      }
    }
  }

  function choose() {
    clearTimeout(timer);
    hold(true);
    status.textContent = "Counting…";
    timer = setTimeout(count, 400);
  }

  async function count() {
    // One at a time: the second of two would be told that the first has changed the campaign.
    again = busy;
    if (busy) return;
    busy = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const shown = page.querySelector("form[data-audience] [name=shown]");
      if (!shown || page.querySelector("[data-changed-meanwhile]")) {
        window.location.assign(answer.url); // somebody else was here: everything is shown anew
        return;
      }
      for (const field of document.querySelectorAll("[data-shown]")) field.value = shown.value;
      if (!again) refresh(page);
    } catch {
      status.textContent = "Not counted: the connection is away. Press “Save and count again”.";
      again = false;
    } finally {
      busy = false;
    }
    if (again) count();
  }

  function refresh(page) {
    for (const part of document.querySelectorAll("[data-fresh]")) {
      const fresh = page.querySelector(`[data-fresh="${part.dataset.fresh}"]`);
      if (fresh) part.replaceChildren(...fresh.childNodes);
    }
    hold(false);
    const blocked = page.querySelector(".hb-schedule [data-decides]")?.disabled;
    for (const button of document.querySelectorAll(".hb-schedule [data-decides]")) {
      button.disabled = Boolean(blocked);
    }
    const people = document.querySelector('[data-fresh="who"] strong');
    status.textContent = people ? `Saved and counted: ${people.textContent} people get it.` : "";
  }

  form.addEventListener("change", choose);
  // The segment lists tell of a choice through jQuery only.
  const jQuery = window.django && window.django.jQuery;
  if (jQuery) jQuery(form).on("select2:select select2:unselect", choose);
})();
