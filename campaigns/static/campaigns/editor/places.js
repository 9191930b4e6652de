// Finds the line of a template that words of the finished email come from. What was filled in
// stands nowhere in the source, so the longest run of words that does is what counts.
(() => {
  "use strict";

  const MOST_WORDS = 12;
  const SHORTEST = 4; // letters: a shorter word alone could come from anywhere
  const SPACE = "(?:\\s|&nbsp;)+";

  const escaped = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/&/g, "(?:&amp;|&)");

  // Returns a line's number, from 1 on, or null.
  window.lineOfWords = (source, shown) => {
    const words = shown.trim().split(/\s+/).filter(Boolean).slice(0, MOST_WORDS);
    const body = Math.max(0, source.search(/<body\b/i));
    for (let length = words.length; length > 0; length -= 1) {
      for (let start = 0; start + length <= words.length; start += 1) {
        const run = words.slice(start, start + length);
        if (length === 1 && run[0].length < SHORTEST) continue;
        const place = source.slice(body).search(new RegExp(run.map(escaped).join(SPACE)));
        if (place >= 0) return source.slice(0, body + place).split("\n").length;
      }
    }
    return null;
  };
})();
