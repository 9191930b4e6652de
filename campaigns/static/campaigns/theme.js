// What the admin theme leaves to the mouse and the eye, for the keyboard and the screen reader:
// its icons are letters, some of its buttons are not, its choices have no label, and its panel of
// filters lets the focus wander off.
(() => {
  "use strict";

  const CLICKABLE = "#main a:not([href]), #changelist-filter a:not([href]), #main span[x-on\\:click], [data-hb-button]";
  const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, [tabindex='0']";

  function mend(root) {
    for (const icon of root.querySelectorAll(".material-symbols-outlined:not([aria-hidden])")) {
      icon.setAttribute("aria-hidden", "true");
    }
    for (const element of root.querySelectorAll(CLICKABLE)) makeButton(element);
    for (const field of root.querySelectorAll(".select2-search__field:not([aria-label])")) {
      nameChoice(field);
    }
    for (const note of root.querySelectorAll(".timezonewarning:not([data-said])")) sayClock(note);
  }

  // “Note: You are 2 hours ahead of server time.”
  function sayClock(note) {
    const [, hours, way] = /(\d+ hours?) (ahead|behind)/.exec(note.textContent) || [];
    note.dataset.said = "";
    if (hours) {
      const other = way === "ahead" ? "behind" : "ahead of";
      note.textContent = `By the clock of the business, which is ${hours} ${other} yours.`;
    }
  }

  function makeButton(element) {
    if (element.getAttribute("role") === "button") return;
    element.setAttribute("role", "button");
    element.tabIndex = 0;
    element.addEventListener("keydown", (event) => {
      if (event.target !== element || (event.key !== "Enter" && event.key !== " ")) return;
      event.preventDefault();
      element.click();
    });
  }

  function nameChoice(field) {
    const select = field.closest(".select2-container")?.previousElementSibling;
    const label = select?.id && document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
    const name = label ? label.textContent.replace("*", "").trim() : "Search";
    field.setAttribute("aria-label", name || "Search");
  }

  function nameControls() {
    name("#searchbar-submit", "Search");
    name("#searchbar", document.querySelector("#searchbar")?.placeholder || "Search");
    name("#command-submit", "Search");
    name("#search-input-command", "Search");
    document.querySelector("#nav-sidebar-inner")?.setAttribute("aria-label", "Menu");
    document.querySelector("#nav-sidebar a.active")?.setAttribute("aria-current", "page");
    for (const link of document.querySelectorAll("a[title]")) {
      if (!link.textContent.trim() || link.querySelector(".material-symbols-outlined")) {
        if (!link.hasAttribute("aria-label")) link.setAttribute("aria-label", link.title);
      }
    }
    name('a[x-on\\:click*="showActions"]', "More actions");
    const table = document.querySelector("#result_list");
    const heading = document.querySelector("h1");
    if (table && heading) table.setAttribute("aria-label", heading.textContent.trim());
  }

  function name(selector, words) {
    document.querySelector(selector)?.setAttribute("aria-label", words);
  }

  // The filters lie over the page on all but the widest screens: the focus goes in, stays in, and
  // comes back to what opened them.
  function keepFocus() {
    const panel = document.querySelector("#changelist-filter");
    if (!panel) return;
    panel.setAttribute("role", "dialog");
    panel.setAttribute("aria-label", "Filters");
    let opener = null;
    const lies = () => getComputedStyle(panel).position === "fixed";
    const isOpen = () => lies() && getComputedStyle(panel).display !== "none";
    const inside = () => [...panel.querySelectorAll(FOCUSABLE)].filter((e) => e.offsetParent);
    let wasOpen = false;
    new MutationObserver(() => {
      if (isOpen() === wasOpen) return;
      wasOpen = !wasOpen;
      if (wasOpen) {
        opener = document.activeElement;
        inside()[0]?.focus();
      } else {
        opener?.focus();
      }
    }).observe(panel, { attributes: true, attributeFilter: ["style"] });
    panel.addEventListener("keydown", (event) => {
      if (event.key !== "Tab" || !isOpen()) return;
      const all = inside();
      const edge = event.shiftKey ? all[0] : all[all.length - 1];
      if (document.activeElement !== edge) return;
      event.preventDefault();
      (event.shiftKey ? all[all.length - 1] : all[0]).focus();
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    mend(document);
    nameControls();
    keepFocus();
    new MutationObserver((changes) => {
      for (const change of changes) {
        for (const node of change.addedNodes) if (node.nodeType === 1) mend(node.parentNode || node);
      }
    }).observe(document.body, { childList: true, subtree: true });
  });
})();
