// Buttons with data-copy="text" put that text on the clipboard; the page says so in its
// [data-copy-status], which screen readers read out.
(() => {
  "use strict";

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Without TLS there is no clipboard to write to: select it in a field and copy that.
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      const copied = document.execCommand("copy");
      field.remove();
      return copied;
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const copied = await copy(button.dataset.copy);
    button.focus();
    const label = button.dataset.label || (button.dataset.label = button.textContent);
    button.textContent = copied ? "Copied" : label;
    setTimeout(() => (button.textContent = label), 2000);
    const status = document.querySelector("[data-copy-status]");
    if (status) {
      status.textContent = copied
        ? "Copied: paste it into the email where the picture belongs."
        : "It could not be copied: select the tag on the picture’s page and copy it by hand.";
    }
  });
})();
