// Moves campaigns' bars and figures without a reload. Elements say what they show:
//   data-live="12"       the campaign,
//   data-part="text"     which of the poll's texts is their content, or
//   data-bar             a <progress> that shows how far it is, or
//   data-notices         a list that says why nothing is happening.
// The page names the poll's address once, in data-live-url, and a campaign's page its panel in
// data-panel-url. Only what is on the screen is asked for; a hidden tab asks for nothing.
(() => {
  "use strict";

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
      if (element.dataset.panelUrl && element.dataset.panelKey !== campaign.panel_key) {
        renew(element, campaign.panel_key);
      }
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

  async function renew(panel, key) {
    panel.dataset.panelKey = key;
    const answer = await fetch(panel.dataset.panelUrl, { redirect: "error" });
    if (!answer.ok) {
      panel.dataset.panelKey = ""; // the next poll tries again
      return;
    }
    panel.innerHTML = await answer.text();
    watch(panel);
  }

  document.addEventListener("visibilitychange", () => schedule(0));
  document.addEventListener("DOMContentLoaded", () => watch(document));
})();
