/* What is wrong with the page as it is drawn now: a list of sentences. Contrast is that of WCAG 2.2, 1.4.3:
 * 4.5, or 3 where the text is large; computed from what the browser has made of the style sheet. */
(() => {
  const wrong = [];
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const ground = (at) => {
    const layers = [];
    for (let e = at; e; e = e.parentElement) {
      const color = rgba(getComputedStyle(e).backgroundColor);
      if (color[3] > 0) layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reduceRight((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const seen = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
  const name = (e) => `${e.tagName.toLowerCase()}${e.id ? "#" + e.id : ""}.${e.className.baseVal ?? e.className} "${e.textContent.trim().slice(0, 30)}"`;

  let least = Infinity, measured = 0;
  for (const e of document.body.querySelectorAll("*")) {
    const own = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim() !== "");
    if (!own || !seen(e) || e.closest("svg, script, noscript")) continue;
    const style = getComputedStyle(e), back = ground(e);
    const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
    const need = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    const has = ratio(over(rgba(style.color), back), back);
    measured++;
    least = Math.min(least, has);
    if (has < need) wrong.push(`contrast ${has.toFixed(2)} of ${name(e)}`);
  }
  if (measured < 30) wrong.push(`only ${measured} texts were measured`);
  for (const line of document.querySelectorAll(".chart .line")) {
    const has = ratio(rgba(getComputedStyle(line).stroke), ground(line.closest("figure").querySelector("svg")));
    if (has < 3) wrong.push(`contrast ${has.toFixed(2)} of a chart's line`); /* 1.4.11 */
  }

  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) wrong.push(`it is ${document.documentElement.scrollWidth} pixels wide`);
  for (const e of document.body.querySelectorAll("*")) {
    const box = e.getBoundingClientRect();
    if (seen(e) && !e.closest(".scroll, .skip, svg, thead") && box.right > width + 1) wrong.push(`${name(e)} sticks out to ${Math.round(box.right)}`);
    if (seen(e) && e.closest("p, dd, li, td") && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflow === "visible" &&
        getComputedStyle(e).display !== "inline" && !e.closest(".scroll")) wrong.push(`${name(e)} overflows`);
  }

  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const at = Number(heading.tagName[1]);
    if (at > level + 1) wrong.push(`${name(heading)} is a level too deep`);
    level = at;
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`two elements are #${id}`);
  for (const e of document.querySelectorAll("[aria-labelledby]"))
    if (!document.getElementById(e.getAttribute("aria-labelledby"))) wrong.push(`${name(e)} is labelled by nothing`);
  for (const e of document.querySelectorAll("button, a, summary, [role=img], [role=region], section"))
    if (!(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent.trim())) wrong.push(`${name(e)} has no name`);
  for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) wrong.push("an image has no alt");
  for (const e of document.querySelectorAll("th")) if (!e.scope) wrong.push(`${name(e)} has no scope`);
  if (width < 600)
    for (const e of document.querySelectorAll("button"))
      if (e.getBoundingClientRect().height < 44) wrong.push(`${name(e)} is small for a finger`);
  return { wrong, least, measured };
})()
