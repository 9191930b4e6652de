// Finds the customer a message is shown as. Only names come back.
(() => {
  "use strict";

  // ask(text) answers [{ id, name }]; chosen(id) is called when one was picked.
  window.HandbillPeople = function build({ input, list, select, ask, chosen }) {
    let timer = null;
    let serial = 0;
    let active = -1;

    function options() {
      return [...list.querySelectorAll("[role=option]")];
    }

    function close() {
      list.hidden = true;
      active = -1;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }

    function pick({ id, name }) {
      let option = [...select.options].find((each) => each.value === String(id));
      if (!option) {
        option = new Option(name, id);
        select.prepend(option);
      }
      select.value = String(id);
      input.value = "";
      close();
      chosen();
    }

    function show(people) {
      const rows = people.map((person, number) => {
        const row = document.createElement("li");
        row.setAttribute("role", "option");
        row.id = `hb-person-${number}`;
        row.textContent = person.name;
        row.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          pick(person);
        });
        row.person = person;
        return row;
      });
      if (!rows.length) {
        const row = document.createElement("li");
        row.className = "hb-note";
        row.textContent = "Nobody found. An email or phone number must be complete.";
        rows.push(row);
      }
      list.replaceChildren(...rows);
      list.hidden = false;
      active = -1;
      input.setAttribute("aria-expanded", "true");
    }

    async function find() {
      const text = input.value.trim();
      const mine = ++serial;
      if (!text) return close();
      let people;
      try {
        people = await ask(text);
      } catch {
        return close();
      }
      if (mine === serial) show(people);
    }

    function move(step) {
      const rows = options();
      if (!rows.length) return;
      active = (active + step + rows.length) % rows.length;
      rows.forEach((row, number) => row.setAttribute("aria-selected", String(number === active)));
      rows[active].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", rows[active].id);
    }

    input.addEventListener("input", (event) => {
      event.stopPropagation(); // it is no part of the message
      clearTimeout(timer);
      timer = setTimeout(find, 250);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") move(1);
      else if (event.key === "ArrowUp") move(-1);
      else if (event.key === "Escape") close();
      else if (event.key === "Enter") {
        const row = options()[Math.max(0, active)];
        if (!list.hidden && row) pick(row.person);
      } else return;
      event.preventDefault();
    });
    input.addEventListener("blur", close);
  };
})();
