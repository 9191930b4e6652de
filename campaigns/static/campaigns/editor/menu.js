// The menu of what can be inserted: placeholders by group, ready-made pieces, uploaded pictures.
(() => {
  "use strict";

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function groupsOf(settings) {
    const groups = new Map();
    const add = (group, entry) => {
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(entry);
    };
    for (const piece of settings.snippets) {
      add("Ready-made", { label: piece.label, about: piece.about, html: piece.html, text: piece.text });
    }
    for (const image of settings.images) {
      add("Images", { label: image.label, about: image.about, html: image.html, text: null });
    }
    for (const { name, group, description, sample } of settings.placeholders) {
      const written = `{{ ${name.replace("*", "field")} }}`;
      add(group, { label: name, about: description, sample, html: written, text: written });
    }
    return groups;
  }

  // insert(entry) puts it where the cursor was; where() says which field that is.
  window.HandbillMenu = function build({ button, menu, settings, insert, where }) {
    const target = element("p", "", "hb-note");
    const search = element("input");
    search.type = "search";
    search.placeholder = "Search";
    search.setAttribute("aria-label", "Search what can be inserted");
    search.dataset.menuSearch = "";
    const list = element("div", "", "hb-menu-list");
    const none = element("p", "Nothing of that name.", "hb-note");
    none.hidden = true;
    menu.append(search, target, list, none);

    for (const [title, entries] of groupsOf(settings)) {
      const group = element("section");
      group.append(element("h3", title, "hb-menu-title"));
      for (const entry of entries) {
        const choice = element("button");
        choice.type = "button";
        choice.dataset.choice = entry.label;
        choice.dataset.words = `${entry.label} ${entry.about} ${title}`.toLowerCase();
        choice.append(element("strong", entry.label), element("span", entry.about));
        if (entry.sample) choice.append(element("em", `Such as ${entry.sample}`));
        choice.addEventListener("click", () => {
          close();
          insert(entry);
        });
        group.append(choice);
      }
      list.append(group);
    }

    function filter() {
      const words = search.value.trim().toLowerCase().split(/\s+/);
      let found = 0;
      for (const group of list.children) {
        let any = false;
        for (const choice of group.querySelectorAll("button")) {
          choice.hidden = !words.every((word) => choice.dataset.words.includes(word));
          any = any || !choice.hidden;
        }
        group.hidden = !any;
        found += any;
      }
      none.hidden = found > 0;
    }

    function open() {
      menu.hidden = false;
      button.setAttribute("aria-expanded", "true");
      target.textContent = `Goes into: ${where()}.`;
      search.value = "";
      filter();
      search.focus();
    }

    function close() {
      menu.hidden = true;
      button.setAttribute("aria-expanded", "false");
    }

    button.addEventListener("click", () => (menu.hidden ? open() : close()));
    search.addEventListener("input", (event) => {
      event.stopPropagation(); // it is no part of the message
      filter();
    });
    menu.addEventListener("keydown", (event) => {
      const choices = [...list.querySelectorAll("button")].filter((each) => each.offsetParent);
      const position = choices.indexOf(document.activeElement);
      if (event.key === "Escape") {
        close();
        button.focus();
      } else if (event.key === "ArrowDown") {
        (choices[position + 1] || choices[0])?.focus();
      } else if (event.key === "ArrowUp") {
        (choices[position - 1] || search).focus();
      } else if (event.key === "Enter" && document.activeElement === search) {
        choices[0]?.click();
      } else {
        return;
      }
      event.preventDefault();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!menu.hidden && !menu.contains(event.target) && event.target !== button) close();
    });
  };
})();
