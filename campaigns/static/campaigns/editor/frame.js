// Shows an email in a frame that can do nothing: no script, no form, no window, no navigation.
// It may read the parent's origin only so that this page can keep its place and stop its links;
// without allow-scripts nothing inside can make use of that.
(() => {
  "use strict";

  const LONGEST_WAIT = 400; // milliseconds for pictures, then it is shown without them

  // Mail programs decide light or dark; here the switch does. Browsers pass only their own choice
  // into a frame, so the questions in the message are answered beforehand.
  function inScheme(html, scheme) {
    return html
      .replace(/\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)/gi, (question, wanted) =>
        wanted.toLowerCase() === scheme ? "(min-width: 0)" : "(max-width: 0)",
      )
      .replace(/(\bcolor-scheme\s*:\s*)(light dark|dark light)/gi, `$1${scheme}`)
      .replace(/(name="color-scheme" content=")(light dark|dark light)/gi, `$1${scheme}`);
  }

  class Frame {
    // onPick gets the words, or the alt text, of what is clicked in the message.
    constructor(stage, onPick) {
      this.stage = stage;
      this.onPick = onPick;
      this.width = 600;
      this.scheme = "light";
      this.html = "";
      this.shown = null;
      new ResizeObserver(() => this.fit()).observe(stage);
    }

    show(html) {
      if (html === this.html && this.shown) return;
      this.html = html;
      this.draw();
    }

    setWidth(width) {
      this.width = width;
      this.fit();
    }

    setScheme(scheme) {
      this.scheme = scheme;
      if (this.html) this.draw();
    }

    draw() {
      for (const waiting of this.stage.querySelectorAll("[data-waiting]")) waiting.remove();
      const frame = document.createElement("iframe");
      frame.title = "The email as it arrives";
      frame.setAttribute("sandbox", "allow-same-origin");
      frame.dataset.waiting = "";
      frame.dataset.scheme = this.scheme;
      frame.srcdoc = inScheme(this.html, this.scheme);
      this.stage.append(frame);
      this.fit();
      let done = false;
      const swap = () => {
        if (done || !frame.isConnected) return;
        done = true;
        if (this.shown) {
          const before = this.shown.contentWindow;
          if (before) frame.contentWindow.scrollTo(0, before.scrollY);
          this.shown.remove();
        }
        delete frame.dataset.waiting;
        this.shown = frame;
      };
      frame.addEventListener("load", () => {
        // Slow pictures: it is shown before it has loaded, and is then this very document.
        frame.contentDocument?.addEventListener("click", (event) => this.pick(event), true);
        swap();
      });
      setTimeout(swap, LONGEST_WAIT);
    }

    pick(event) {
      event.preventDefault();
      const node = event.target;
      this.onPick(node.getAttribute("alt") || node.innerText || "");
    }

    // As wide as the mail program is, made smaller where there is less room.
    fit() {
      const room = this.stage.clientWidth;
      if (!room) return;
      const scale = Math.min(1, room / this.width);
      for (const frame of this.stage.querySelectorAll("iframe")) {
        frame.style.width = `${this.width}px`;
        frame.style.height = `${this.stage.clientHeight / scale}px`;
        frame.style.transform = `scale(${scale})`;
        frame.style.left = `${Math.max(0, (room - this.width * scale) / 2)}px`;
      }
      this.stage.dataset.scale = scale.toFixed(2);
    }
  }

  window.HandbillFrame = Frame;
})();
