// The campaign editor: what is written on one side, what arrives on the other.
// The form's own fields stay the truth. Everything here only reads and writes them, so without
// this script the page is a form that saves.
(() => {
  "use strict";

  const TYPING_PAUSE = 300; // milliseconds until the preview is asked for
  const COUNTING_PAUSE = 1200; // until the whole audience is looked at
  const RETRY = 3000;
  const TIMEOUT = 10000;
  const PARTS = ["email_content", "sms_content", "email_text"];
  const SUBJECT_SHOWN = 40; // characters of a subject that a phone's list shows

  const studio = document.querySelector("[data-editor]");
  if (!studio) return;
  const form = studio.closest("form");
  const settings = JSON.parse(document.getElementById("hb-editor-settings").textContent);
  const find = (selector) => studio.querySelector(selector);
  const field = (name) => form.elements[name];
  const labels = settings.labels;
  // Gone back to, the page holds what is saved now. With the words of an old page in its fields a
  // colleague's change would be taken back, and the source would not be what is seen.
  form.autocomplete = "off";

  let source = null; // CodeMirror, where it works
  let part = "email_content";
  let lastField = "email_content";
  let images = "on";
  let problems = [];

  // --- The fields ---------------------------------------------------------------------------

  function changed(input) {
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function buildSource() {
    const textarea = field("email_content");
    if (!window.HandbillCode) return;
    const parent = document.createElement("div");
    parent.className = "hb-code";
    textarea.after(parent);
    try {
      source = window.HandbillCode.create({
        parent,
        text: textarea.value,
        attributes: {
          "aria-label": "Email, HTML source. Press Escape, then Tab, to leave.",
          spellcheck: "false",
          tabindex: "0",
        },
        placeholders: settings.placeholders,
        onChange(text) {
          textarea.value = text;
          changed(textarea);
        },
        onFocus: () => (lastField = "email_content"),
      });
    } catch (error) {
      parent.remove();
      console.error(error);
      return;
    }
    textarea.hidden = true;
    // The words to change come after much that only mail programs read.
    const lines = textarea.value.split("\n");
    const body = lines.findIndex((line) => /<body\b/i.test(line));
    const words = lines.findIndex((line, n) => n > body && /<(h1|h2|p)\b/i.test(line));
    if (body > 0) source.show((words > 0 ? words : body) + 1);
    form.querySelector(`label[for="${textarea.id}"]`)?.addEventListener("click", () => source.focus());
  }

  // Puts words in the selection's place, so that the browser's own undo takes them back.
  function insertInto(input, words) {
    input.focus();
    if (!document.execCommand("insertText", false, words)) {
      input.setRangeText(words, input.selectionStart, input.selectionEnd, "end");
      changed(input);
    }
  }

  function insert({ html, text }) {
    const words = lastField === "email_content" ? html : text;
    if (words === null) return setStatus("Pictures go into the email only.");
    if (PARTS.includes(lastField)) openPart(lastField);
    const oneLine = lastField === "subject" ? words.replace(/\s*\n\s*/g, " ") : words;
    if (lastField === "email_content" && source) source.insert(oneLine);
    else insertInto(field(lastField), oneLine);
  }

  function replaceCharacters(found) {
    const input = field("sms_content");
    let text = input.value;
    for (const { character, replacement } of found) text = text.replaceAll(character, replacement);
    openPart("sms_content");
    input.select();
    insertInto(input, text);
  }

  // --- Parts and panes ------------------------------------------------------------------------

  function press(buttons, chosen) {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen));
  }

  function openPane(name) {
    studio.dataset.showing = name;
    const buttons = studio.querySelectorAll("[data-pane]");
    press(buttons, [...buttons].find((button) => button.dataset.pane === name));
    // The other pane is shorter or longer: begin at its top.
    if (studio.getBoundingClientRect().top < 0 && buttons[0].offsetParent) studio.scrollIntoView();
  }

  function openPart(name) {
    part = name;
    lastField = name;
    for (const each of PARTS) {
      const tab = document.getElementById(`hb-tab-${each}`);
      tab.setAttribute("aria-selected", String(each === name));
      tab.tabIndex = each === name ? 0 : -1;
      find(`[data-part-of="${each}"]`).hidden = each !== name;
      find(`[data-see="${each}"]`).hidden = each !== name;
    }
    if (name === "sms_content") askLongest(0);
  }

  function buildTabs() {
    PARTS.forEach((name, position) => {
      const tab = document.getElementById(`hb-tab-${name}`);
      const panel = find(`[data-part-of="${name}"]`);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      tab.addEventListener("click", () => openPart(name));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = PARTS[(position + step + PARTS.length) % PARTS.length];
        openPart(next);
        document.getElementById(`hb-tab-${next}`).focus();
      });
    });
    for (const button of studio.querySelectorAll("[data-pane]")) {
      button.addEventListener("click", () => openPane(button.dataset.pane));
    }
  }

  function showOwnText() {
    const own = Boolean(field("email_text").value.trim()) || studio.dataset.ownText === "yes";
    find("[data-automatic]").hidden = own;
    find("[data-own-text-field]").hidden = !own;
  }

  function buildOwnText() {
    const input = field("email_text");
    find("[data-own-text]").addEventListener("click", async () => {
      const answer = await post("preview", { starting_text: "1" }).catch(() => null);
      studio.dataset.ownText = "yes";
      input.value = answer ? answer.starting_text : "";
      showOwnText();
      input.focus();
      changed(input);
    });
    find("[data-automatic-text]").addEventListener("click", () => {
      if (input.value.trim() && !window.confirm("Throw your plain text away?")) return;
      studio.dataset.ownText = "no";
      input.value = "";
      showOwnText();
      changed(input);
    });
    showOwnText();
  }

  // --- Asking the server ----------------------------------------------------------------------

  async function post(name, extra, signal) {
    const body = new FormData(form);
    body.set("editor_kind", settings.kind);
    body.set("editor_id", settings.id);
    for (const [key, value] of Object.entries(extra)) body.set(key, value);
    const answer = await fetch(settings.urls[name], { method: "POST", body, redirect: "manual", signal });
    // Whoever is signed out is sent to the page where one signs in.
    if (answer.type === "opaqueredirect") throw Object.assign(new Error("redirect"), { status: 403 });
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      throw Object.assign(new Error(String(answer.status)), { sentence: told.error, status: answer.status });
    }
    return answer.json();
  }

  function setStatus(sentence, isTrouble = false) {
    const line = find("[data-preview-status]");
    line.textContent = sentence;
    line.classList.toggle("hb-trouble", isTrouble);
    studio.dataset.upToDate = String(!isTrouble);
  }

  function sentenceOf(error) {
    if (error.sentence) return error.sentence;
    if (error.status === 403) {
      return "The preview is not up to date: you are not signed in any more, or may not do this.";
    }
    if (error.status === 400 || error.status === 413) return "The preview is not up to date: the message is too large.";
    return "The preview is not up to date: the server does not answer. It is asked again.";
  }

  let previewTimer = null;
  let previewSerial = 0;
  let asked = null;

  function askPreview(pause = TYPING_PAUSE) {
    clearTimeout(previewTimer);
    previewTimer = setTimeout(preview, pause);
  }

  async function preview() {
    const mine = ++previewSerial;
    if (asked) asked.abort();
    asked = new AbortController();
    const waiting = asked;
    const timeout = setTimeout(() => waiting.abort(), TIMEOUT);
    try {
      const answer = await post("preview", { shown_as: shownAs(), images }, waiting.signal);
      if (mine === previewSerial) show(answer);
    } catch (error) {
      if (mine !== previewSerial) return;
      setStatus(sentenceOf(error), true);
      if (!error.status || error.status >= 500) askPreview(RETRY);
    } finally {
      clearTimeout(timeout);
    }
  }

  let longestTimer = null;
  let longestSerial = 0;
  let longestKey = "";

  // The audience is looked at only when the text message is, and when something of it changed.
  function askLongest(pause = COUNTING_PAUSE) {
    clearTimeout(longestTimer);
    if (part !== "sms_content" || settings.kind !== "campaign") return;
    longestTimer = setTimeout(longest, pause);
  }

  async function longest() {
    const data = new FormData(form);
    for (const name of ["email_content", "email_text", "csrfmiddlewaretoken"]) data.delete(name);
    const key = JSON.stringify([...data]);
    if (key === longestKey) return;
    const mine = ++longestSerial;
    try {
      const answer = await post("longest", {});
      if (mine !== longestSerial) return;
      longestKey = key;
      texts.showLongest(answer);
    } catch {
      if (mine === longestSerial) texts.showLongest({ sentence: "" });
    }
  }

  // --- Showing the answer ---------------------------------------------------------------------

  function show(answer) {
    const email = answer.email;
    const isEmpty = !field("email_content").value.trim();
    const note = find("[data-no-email]");
    note.hidden = Boolean(email);
    note.textContent = isEmpty
      ? "There is no email yet: write one beside this."
      : "This is the email before its last error. Mend the error to see it as it is now.";
    for (const each of ["[data-stage]", "[data-text]"]) {
      find(each).classList.toggle("hb-outdated", !email && !isEmpty);
    }
    find("[data-stage]").hidden = isEmpty;
    find("[data-inbox]").hidden = !email;
    if (email) {
      frame.show(email.html);
      find("[data-sender]").textContent = email.sender;
      find("[data-avatar]").textContent = email.sender.slice(0, 1).toUpperCase();
      find("[data-subject]").textContent = email.subject || "(no subject)";
      find("[data-preheader]").textContent = email.preheader;
      find("[data-size]").textContent = `${Math.ceil(email.size / 1024)} KB of HTML. Gmail shows up to 102 KB. Click words to go to their line.`;
      find("[data-text]").textContent = email.text;
    }
    if (isEmpty) {
      find("[data-size]").textContent = "";
      find("[data-text]").textContent = "";
    }
    showSubjectHint(email ? email.subject : "");
    texts.show(answer.sms, !field("sms_content").value.trim());
    showProblems(answer.problems);
    setStatus(`Filled in for ${answer.person}.`);
  }

  function showSubjectHint(subject) {
    const length = [...subject].length;
    const hint = find("[data-subject-hint]");
    if (!length) hint.textContent = "";
    else if (length > SUBJECT_SHOWN) {
      hint.textContent = `${length} characters, filled in. Many phones show the first ${SUBJECT_SHOWN} or so: begin with what counts.`;
    } else hint.textContent = `${length} characters, filled in: phones show all of it.`;
  }

  function showProblems(found) {
    problems = found;
    const blocking = found.filter((problem) => problem.blocking).length;
    const title = find("[data-problems-title]");
    const words = !found.length
      ? "No problems found in the message"
      : blocking
        ? `${blocking} to mend before sending` + (found.length > blocking ? `, ${found.length - blocking} to think about` : "")
        : `${found.length} to think about`;
    if (title.textContent !== words) title.textContent = words;
    title.dataset.kind = blocking ? "blocking" : found.length ? "warning" : "good";
    find("[data-problems]").replaceChildren(
      ...found.map((problem) => {
        const row = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.className = problem.blocking ? "hb-blocking" : "";
        button.dataset.code = problem.code;
        button.textContent = problem.message;
        button.addEventListener("click", () => jump(problem.field, problem.line));
        row.append(button);
        return row;
      }),
    );
    if (source) {
      source.mark(found.filter((each) => each.field === "email_content" && each.line));
    }
    for (const name of ["subject", "email_content", "email_text", "sms_content"]) {
      const has = found.some((problem) => problem.blocking && problem.field === name);
      field(name).toggleAttribute("aria-invalid", false);
      if (has) field(name).setAttribute("aria-invalid", "true");
      document.getElementById(`hb-tab-${name}`)?.classList.toggle("hb-has-problem", has);
    }
  }

  // Goes to a field, and to a line in it.
  function jump(name, line) {
    openPane("write");
    if (PARTS.includes(name)) openPart(name);
    if (name === "email_text") {
      if (field(name).value) studio.dataset.ownText = "yes";
      showOwnText();
    }
    if (name === "email_content" && source) {
      source.goTo(line || 1);
      find(".hb-code").scrollIntoView({ block: "nearest" });
      return;
    }
    const input = document.getElementById(`id_${name}`);
    if (!input) return;
    input.focus();
    input.scrollIntoView({ block: "center" });
    if (line && input.setSelectionRange) {
      const lines = input.value.split("\n");
      const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
      input.setSelectionRange(start, start + (lines[line - 1] || "").length);
      input.scrollTop = (line - 3) * parseFloat(getComputedStyle(input).lineHeight);
    }
  }

  // --- Putting it together --------------------------------------------------------------------

  const select = find("[data-shown-as]");
  const shownAs = () => select.value;
  const frame = new window.HandbillFrame(find("[data-stage]"), (words) => {
    const line = window.lineOfWords(field("email_content").value, words);
    if (line) jump("email_content", line);
  });

  function choose(id, name) {
    if (![...select.options].some((option) => option.value === String(id))) {
      select.prepend(new Option(name, id));
    }
    select.value = String(id);
    askPreview(0);
  }

  const texts = window.HandbillTexts({
    root: find('[data-see="sms_content"]'),
    replace: replaceCharacters,
    choose,
  });

  for (const each of studio.querySelectorAll("[data-needs-script]")) each.hidden = false;
  buildSource();
  buildTabs();
  buildOwnText();
  openPart("email_content");
  openPane("write");

  for (const name of ["subject", ...PARTS]) {
    field(name).addEventListener("focus", () => (lastField = name));
  }
  window.HandbillMenu({
    button: find("[data-insert]"),
    menu: find("[data-menu]"),
    settings,
    insert,
    where: () => labels[lastField],
  });
  const people = find("[data-people]");
  if (people) {
    window.HandbillPeople({
      input: people,
      list: find("#hb-people-found"),
      select,
      ask: async (text) => (await post("people", { q: text })).people,
      chosen: () => askPreview(0),
    });
  }
  select.addEventListener("change", (event) => {
    event.stopPropagation();
    askPreview(0);
  });
  const switches = {
    width: (value) => frame.setWidth(Number(value)),
    scheme: (value) => frame.setScheme(value),
    images(value) {
      images = value;
      askPreview(0);
    },
  };
  for (const [name, act] of Object.entries(switches)) {
    const buttons = studio.querySelectorAll(`[data-${name}]:is(button)`);
    for (const button of buttons) {
      button.addEventListener("click", () => {
        press(buttons, button);
        act(button.dataset[name]);
      });
    }
  }

  function written() {
    askPreview();
    askLongest();
  }
  form.addEventListener("input", written);
  form.addEventListener("change", written);
  // Select2 tells jQuery only.
  if (window.django?.jQuery) window.django.jQuery(form).on("change", "select", written);
  window.addEventListener("online", () => askPreview(0));
  window.addEventListener("offline", () => setStatus(sentenceOf({}), true));

  askPreview(0);
  const asksFor = new URLSearchParams(window.location.search);
  const line = Number(asksFor.get("line"));
  if (asksFor.get("field")) jump(asksFor.get("field"), line > 0 ? Math.floor(line) : null);
})();
