// Shows the text message as a bubble, with its length, what it costs and what makes it dearer.
(() => {
  "use strict";

  const number = new Intl.NumberFormat("en");

  function plural(count, word) {
    return `${number.format(count)} ${word}${count === 1 ? "" : "s"}`;
  }

  function said(length) {
    return (
      `${plural(length.units, "character")} in ${length.encoding} · ` +
      `${plural(length.segments, "segment")} of up to ${length.per_segment}`
    );
  }

  // replace(pairs) changes characters of the text message; choose(id) shows it as a customer.
  window.HandbillTexts = function build({ root, replace, choose }) {
    const bubble = root.querySelector("[data-bubble]");
    const figures = root.querySelector("[data-sms-figures]");
    const characters = root.querySelector("[data-characters]");
    const button = root.querySelector("[data-replace]");
    const longest = root.querySelector("[data-longest]");
    let replaceable = [];

    button.addEventListener("click", () => replace(replaceable));

    function showCharacters(found) {
      characters.hidden = !found.length;
      characters.querySelector("ul").replaceChildren(
        ...found.map((each) => {
          const row = document.createElement("li");
          const sign = document.createElement("code");
          sign.textContent = each.character.trim() ? each.character : "␣";
          const from = each.written ? "" : " It comes from this customer’s data.";
          row.append(sign, ` ${each.name}: ${each.advice}.${from}`);
          return row;
        }),
      );
      replaceable = found.filter((each) => each.written && each.replacement !== null);
      button.hidden = !replaceable.length;
    }

    return {
      show(sms, isEmpty) {
        root.classList.toggle("hb-nothing", !sms);
        if (!sms) {
          bubble.textContent = isEmpty
            ? "This campaign sends no text message."
            : "The text message cannot be shown until its errors are mended.";
          figures.textContent = "";
          showCharacters([]);
          return;
        }
        bubble.textContent = sms.text;
        figures.textContent = said(sms.length) + (sms.cost ? ` · ${sms.cost}` : "");
        showCharacters(sms.characters);
      },
      showLongest(answer) {
        longest.replaceChildren();
        if (!answer.sentence) return;
        const title = document.createElement("h3");
        title.className = "hb-h3";
        title.textContent = "After filling in";
        const size = document.createElement("p");
        size.dataset.longestFigures = "";
        size.textContent = said(answer.length);
        const about = document.createElement("p");
        about.className = "hb-note";
        about.textContent = [answer.sentence, answer.total ? `${answer.total}.` : ""].join(" ");
        longest.append(title, size, about);
        if (answer.customer) {
          const show = document.createElement("button");
          show.type = "button";
          show.className = "hb-link";
          show.textContent = "Show it as this customer";
          show.addEventListener("click", () => choose(answer.customer, answer.name));
          longest.append(show);
        }
      },
    };
  };
})();
