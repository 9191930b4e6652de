// Measures an email as it is shown: returns what is hard to read, cut off, or too small to tap.
() => {
  const channels = (colour) => {
    const numbers = colour.match(/[\d.]+/g).map(Number);
    return numbers.length === 3 ? [...numbers, 1] : numbers;
  };
  const over = (top, below) => {
    const alpha = top[3];
    return [0, 1, 2].map((i) => top[i] * alpha + below[i] * (1 - alpha)).concat(1);
  };
  const backgroundOf = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };

  const texts = [], faint = [], cut = [], places = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.data.replace(/\s+/g, " ").trim();
    const element = node.parentElement;
    if (!text || ["STYLE", "SCRIPT"].includes(element.tagName) || !element.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()];
    if (boxes.every((box) => box.width < 1)) continue;
    texts.push(text);
    for (const { x, y, width, height } of boxes) {
      if (width >= 1) places.push([text, x, y + scrollY, x + width, y + scrollY + height]);
    }
    const background = backgroundOf(element);
    const ratio = contrast(over(channels(getComputedStyle(element).color), background), background);
    if (ratio < 4.5) faint.push(`${text}: ${ratio.toFixed(2)}`);
    if (boxes.some((box) => box.left < 0 || box.right > innerWidth)) cut.push(text);
  }
  const buttons = [...document.querySelectorAll("a")]
    .filter((link) => getComputedStyle(link).display !== "inline")
    .map((link) => [link.textContent.trim(), link.getBoundingClientRect().height]);
  const smallest = Math.min(
    ...[...document.querySelectorAll("p, td, a, h1")]
      .filter((element) => element.innerText?.trim() && element.checkVisibility())
      .map((element) => parseFloat(getComputedStyle(element).fontSize))
      .filter((size) => size > 1)
  );
  return { texts, faint, cut, places, buttons, smallest, width: document.documentElement.scrollWidth };
}
