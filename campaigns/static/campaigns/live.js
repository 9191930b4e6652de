// Moves campaigns' bars and figures without a reload. Elements say what they show:
//   data-live="12"       the campaign,
//   data-part="text"     which of the poll's texts is their content, or
//   data-bar             a <progress> that shows how far it is, or
//   data-notices         a list that says why nothing is happening.
// A form with data-in-place is sent without leaving the page. The page names the poll's address once, in data-live-url, and a campaign's page its panel in
// data-panel-url. Only what is on the screen is asked for; a hidden tab asks for nothing.
(() => {
  "use strict";

  const REASONS_EVERY = 10_000; // ms
  const visible = new Map(); // element → campaign id
  let timer = null;
  let asking = false;

  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) visible.set(entry.target, entry.target.dataset.live);
      else visible.delete(entry.target);
    }
    schedule(0);
  });

  function watch(root) {
    for (const element of root.querySelectorAll("[data-live][data-live-watch]")) {
      observer.observe(element);
    }
  }

  function schedule(seconds) {
    clearTimeout(timer);
    if (!document.hidden && visible.size) timer = setTimeout(ask, seconds * 1000);
  }

  async function ask() {
    const page = document.querySelector("[data-live-url]");
    if (!page || asking) return;
    asking = true;
    let next = null;
    try {
      const ids = [...new Set(visible.values())].join(",");
      const answer = await fetch(`${page.dataset.liveUrl}?ids=${ids}`, { redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const { campaigns } = await answer.json();
      for (const campaign of campaigns) show(campaign);
      const waits = campaigns.map((campaign) => campaign.poll_seconds).filter(Boolean);
      next = waits.length ? Math.min(...waits) : null;
    } catch {
      next = 10; // the server restarts, or the connection is away
    }
    asking = false;
    if (next !== null) schedule(next);
  }

  function show(campaign) {
    for (const element of document.querySelectorAll(`[data-live="${campaign.id}"]`)) {
      const part = element.dataset.part;
      if (part && part in campaign.parts) setText(element, campaign.parts[part]);
      if ("status" in element.dataset) element.dataset.status = campaign.status;
      if ("bar" in element.dataset) setBar(element, campaign);
      if ("notices" in element.dataset) setNotices(element, campaign.notices);
      if (element.dataset.panelUrl && isOld(element, campaign)) renew(element, campaign);
    }
  }

  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function setBar(bar, campaign) {
    bar.hidden = !campaign.total;
    bar.max = campaign.total || 1;
    bar.value = campaign.done;
  }

  function setNotices(list, notices) {
    const rows = new Map([...list.children].map((row) => [row.dataset.key, row]));
    const wanted = notices.map((notice) => {
      const row = rows.get(notice.key) || document.createElement("li");
      row.dataset.key = notice.key;
      row.dataset.severity = notice.severity;
      setText(row, notice.sentence);
      return row;
    });
    // Left alone while the same rows are there: a screen reader says only what is new.
    const same = wanted.length === list.children.length;
    if (!same || wanted.some((row, n) => row !== list.children[n])) list.replaceChildren(...wanted);
  }

  // Its buttons hang on the state; the reasons of failures are counted anew once in a while.
  function isOld(panel, campaign) {
    if (panel.dataset.panelKey !== campaign.panel_key) return true;
    const failed = String(campaign.failed);
    panel.dataset.panelFailed ??= failed;
    const rested = Date.now() - Number(panel.dataset.panelAt || 0) > REASONS_EVERY;
    return panel.dataset.panelFailed !== failed && rested;
  }

  async function renew(panel, campaign) {
    panel.dataset.panelKey = campaign.panel_key;
    panel.dataset.panelFailed = campaign.failed;
    panel.dataset.panelAt = Date.now();
    const answer = await fetch(panel.dataset.panelUrl, { redirect: "error" }).catch(() => null);
    if (!answer || !answer.ok) {
      panel.dataset.panelKey = ""; // the next poll tries again
      return;
    }
    fill(panel, await answer.text());
  }

  // Whoever was on a button of the panel is on the same one afterwards, or on what took its place.
  function fill(panel, html) {
    const held = panel.contains(document.activeElement) ? document.activeElement : null;
    panel.innerHTML = html;
    watch(panel);
    schedule(0);
    if (!held) return;
    const all = [...panel.querySelectorAll("a[href], button")];
    const words = held.textContent.trim();
    (all.find((element) => element.textContent.trim() === words) || all[0])?.focus();
  }

  async function sendInPlace(event) {
    const form = event.target;
    const panel = form.closest("[data-panel-url]");
    if (!panel || !("inPlace" in form.dataset)) return;
    event.preventDefault();
    if (form.dataset.sent) return;
    form.dataset.sent = "yes";
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
      const told = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = told.querySelector("[data-panel-url]");
      if (!answer.ok || !fresh) throw new Error(String(answer.status));
      panel.dataset.panelKey = fresh.dataset.panelKey;
      fill(panel, fresh.innerHTML);
      const messages = told.querySelector("#hb-messages");
      document.querySelector("#hb-messages")?.replaceChildren(...(messages?.childNodes || []));
    } catch {
      location.reload(); // it may have worked: the page says so
    }
  }

  document.addEventListener("submit", sendInPlace);
  document.addEventListener("visibilitychange", () => schedule(0));
  document.addEventListener("DOMContentLoaded", () => watch(document));
})();
